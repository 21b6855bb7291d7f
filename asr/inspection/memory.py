"""How far a network remembers: by the gradient of one output frame, and by what changes when frames are masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.inspection.gates import evaluated
from asr.models import RecurrentCTC

Curve = NDArray[np.float64]
"""By distance."""
_NUM_PLACES = 6
"""Output frames of an utterance whose gradient is taken."""
_ROWS = 64
"""Masked copies of an utterance that run at a time."""


@dataclass(frozen=True)
class Memory:
    """Means over utterances; a frame is one of the recurrent layers."""

    past: Curve
    """By frames of distance: the gradient of an output frame with respect to the lowest recurrent layer's input so
    many frames before it, as a share of the largest."""
    future: Curve
    """The same so many frames after it; zeros where one direction hears, but for a row convolution."""
    changed_past: Curve
    """By spans of distance: how much of a frame's probability moves when a span of frames before it is masked."""
    changed_future: Curve
    span: int
    """Frames."""

    def gradient_reach(self, share: float = 0.01) -> int:
        """Frames back from which on less than a share of the largest gradient is left."""
        return _reach(self.past, share)

    def change_reach(self, moved: float = 0.01) -> int:
        """Frames back up to which masking still moves so much probability."""
        return self.span * _reach(self.changed_past, moved)


def measure_memory(network: RecurrentCTC, utterances: Sequence[Tensor], span: int = 2) -> Memory:
    """Of features ``(time, num_features)`` each; without dropout, the weights left alone."""
    with evaluated(network):
        past, future = zip(*(gradient_by_distance(network, one) for one in utterances), strict=True)
        before, after = zip(*(change_by_distance(network, one, span) for one in utterances), strict=True)
    return Memory(_mean(past), _mean(future), _mean(before), _mean(after), span)


def gradient_by_distance(network: RecurrentCTC, features: Tensor) -> tuple[Curve, Curve]:
    """Norms of the gradient of output frames, spread over the utterance: before each, and after it.

    Of the mean of a frame's log_probs: a single one's has no slope where the model is sure of it.
    """
    inputs, lengths = network.subsampling(features.unsqueeze(0), torch.tensor([len(features)]))
    inputs = inputs.detach().requires_grad_()
    hidden, blocks = inputs, list[Any](network.blocks)
    # cuDNN has no gradient of a recurrent layer that is not in training.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        for block in blocks:
            hidden = block(hidden, lengths)
        scores = network.conclude(hidden, lengths)[0].mean(dim=-1)
    past, future = [], []
    for place in np.linspace(0, len(scores) - 1, min(_NUM_PLACES, len(scores))).astype(int).tolist():
        (gradient,) = torch.autograd.grad(scores[place], inputs, retain_graph=True)
        norms = gradient[0].norm(dim=-1).double().numpy()
        norms = norms / max(norms.max(), 1e-30)
        past.append(norms[: place + 1][::-1])
        future.append(norms[place:])
    return _mean(past), _mean(future)


@torch.no_grad()
def change_by_distance(network: RecurrentCTC, features: Tensor, span: int) -> tuple[Curve, Curve]:
    """Masks every span of ``span`` recurrent frames in turn, by zeros, and compares each output frame's probabilities.

    The measure is total variation: half the sum of what the symbols differ by. Distance 0 is the frame's own span.
    """
    width = span * network.subsampling.factor
    starts = range(0, len(features), width)
    probabilities = _probabilities(network, features.unsqueeze(0))[0]
    moved = np.concatenate(
        [
            _moved(network, features, starts[first : first + _ROWS], width, probabilities)
            for first in range(0, len(starts), _ROWS)
        ]
    )  # (span, time)
    spans = np.arange(moved.shape[1]) // span - np.arange(len(moved))[:, None]
    past = [moved[spans == distance].mean() for distance in range(int(spans.max()) + 1)]
    future = [moved[spans == -distance].mean() for distance in range(int(-spans.min()) + 1)]
    return np.array(past), np.array(future)


def _moved(
    network: RecurrentCTC, features: Tensor, starts: Sequence[int], width: int, probabilities: Tensor
) -> NDArray[np.float64]:
    masked = features.repeat(len(starts), 1, 1)
    for row, start in zip(masked, starts, strict=True):
        row[start : start + width] = 0.0
    differences = (_probabilities(network, masked) - probabilities).abs().sum(dim=-1) / 2
    moved: NDArray[np.float64] = differences.double().numpy()
    return moved


def _probabilities(network: RecurrentCTC, features: Tensor) -> Tensor:
    log_probs: Tensor = network(features, torch.full((len(features),), features.shape[1]))[0]
    return log_probs.exp()


def _reach(curve: Curve, least: float) -> int:
    """The distance beyond which the curve stays below."""
    above = np.flatnonzero(curve >= least)
    return int(above[-1]) + 1 if len(above) else 0


def _mean(curves: Sequence[Curve]) -> Curve:
    """At each distance over those that are long enough."""
    padded = np.full((len(curves), max(map(len, curves))), np.nan)
    for row, curve in zip(padded, curves, strict=True):
        row[: len(curve)] = curve
    mean: Curve = np.nanmean(padded, axis=0)
    return mean
