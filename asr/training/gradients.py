"""How far back learning reaches: gradients by layer and frame, which vanish or explode in a plain RNN.

Bengio et al. (1994) and Pascanu et al. (2013) say why, Hochreiter and Schmidhuber (1997) what gates do about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asr.data import Batch
from asr.models import RecurrentCTC
from asr.models.lengths import zero_padding
from asr.models.losses import ctc_losses
from asr.models.recurrent import RecurrentLayer, reversal


@dataclass(frozen=True)
class Gradients:
    """Norms for one batch, means over its utterances."""

    of_frames: NDArray[np.float64]
    """``(num_layers, num_frames)``: of the CTC loss, with respect to the hidden states of each layer."""
    by_distance: NDArray[np.float64]
    """``(num_layers, num_frames)``: of the last frame's scores, with respect to the hidden state so many frames
    before it, as a share of that at distance 0; in the direction that hears the past."""
    of_parts: dict[str, float]
    """Of the CTC loss, with respect to the weights of each part of the network."""

    def row(self) -> dict[str, float]:
        """For a table: each part's norm, and over how many frames each layer's gradient stays above a hundredth."""
        norms = {f"gradient_{part}": norm for part, norm in self.of_parts.items()}
        reach = {
            f"reach_recurrent_{number}": int((layer >= 0.01).sum())
            for number, layer in enumerate(self.by_distance, 1)
        }
        return norms | reach


class Unrolled(nn.Module):
    """A recurrent layer with the same answer, frame by frame: each hidden state can be asked for its gradient."""

    def __init__(self, layer: RecurrentLayer):
        super().__init__()
        self.layer = layer
        self.ahead: list[Tensor] = []
        """The hidden states ``(1, batch, units)`` in the order of the frames."""
        self.behind: list[Tensor] = []
        """Of the other direction, in the order in which that hears them: each utterance's last frame first."""

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """As ``RecurrentLayer.forward``."""
        self.ahead = _states(self.layer.ahead, inputs)
        outputs = torch.stack([state[0] for state in self.ahead], dim=1)
        if self.layer.behind is not None:
            order = reversal(lengths, inputs.shape[1])
            rows = torch.arange(len(inputs), device=inputs.device).unsqueeze(1)
            self.behind = _states(self.layer.behind, inputs[rows, order])
            heard = torch.stack([state[0] for state in self.behind], dim=1)
            outputs = torch.cat([outputs, heard[rows, order]], dim=-1)
        return zero_padding(outputs, lengths)


def _states(direction: nn.Module, inputs: Tensor) -> list[Tensor]:
    """The very tensors that the next frame takes up, so that their gradients hold what comes through time."""
    state, states = None, []
    for place in range(inputs.shape[1]):
        _, state = direction(inputs[:, place : place + 1], state)
        states.append(state[0] if isinstance(state, tuple) else state)  # an LSTM has its cell too
    return states


def measure(network: RecurrentCTC, batch: Batch) -> Gradients:
    """The gradients of a network as it is, without dropout; its weights, and their gradients, are left alone."""
    with _evaluated(network):
        loss, _, _ = _forward(network, batch)
        of_parts = _of_parts(network, loss)
        with _unrolled(network) as layers:
            loss, log_probs, lengths = _forward(network, batch)
            # The mean over all symbols: a single one's log_prob has no slope where the model is sure of it.
            last = log_probs[torch.arange(len(lengths)), lengths - 1].mean()
            ends = lengths.tolist()
            ahead = [layer.ahead for layer in layers]
            past, future = _norms(loss, ahead, [layer.behind for layer in layers])
            return Gradients(
                np.array([_by_frame(*norms, ends) for norms in zip(past, future, strict=True)]),
                np.array([_by_distance(norms, ends) for norms in _norms(last, ahead)[0]]),
                of_parts,
            )


def _forward(network: RecurrentCTC, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """The CTC loss, the log_probs and their lengths; the features are a leaf: all behind them has a gradient."""
    log_probs, lengths = network(batch.features.detach().requires_grad_(), batch.feature_lengths)
    return ctc_losses(log_probs, lengths, batch.targets, batch.target_lengths).mean(), log_probs, lengths


@contextmanager
def _evaluated(network: RecurrentCTC) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        # cuDNN has no gradient of a recurrent layer that is not in training.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        network.train(was_training)


@contextmanager
def _unrolled(network: RecurrentCTC) -> Iterator[list[Unrolled]]:
    """The recurrent layers frame by frame, their weights constant: a gradient of those for each frame costs most."""
    blocks: list[Any] = list(network.blocks)
    own: list[RecurrentLayer] = [block.layer for block in blocks]
    unrolled = [Unrolled(layer) for layer in own]
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    for block, layer in zip(blocks, unrolled, strict=True):
        block.layer = layer
    for weight in trained:
        weight.requires_grad_(False)
    try:
        yield unrolled
    finally:
        for block, unwatched in zip(blocks, own, strict=True):
            block.layer = unwatched
        for weight in trained:
            weight.requires_grad_(True)


def _norms(score: Tensor, *sides: list[list[Tensor]]) -> list[list[NDArray[np.float64]]]:
    """Of each layer's hidden states on each side, ``(frames, batch)``; none where a side has none."""
    flat = [state for layers in sides for states in layers for state in states]
    found = iter(torch.autograd.grad(score, flat, retain_graph=True))

    def norms(states: list[Tensor]) -> NDArray[np.float64]:
        if not states:
            return np.empty((0, 0))
        return torch.stack([next(found)[0].norm(dim=-1) for _ in states]).cpu().double().numpy()

    return [[norms(states) for states in layers] for layers in sides]


def _by_frame(past: NDArray[np.float64], future: NDArray[np.float64], ends: list[int]) -> NDArray[np.float64]:
    """Both directions together, in the order of the frames; the other one has heard each utterance backwards."""
    rows = []
    for row, end in enumerate(ends):
        ahead, behind = past[:end, row], future[:end, row][::-1] if len(future) else 0.0
        rows.append(np.hypot(ahead, behind))
    return _mean(rows, len(past))


def _by_distance(norms: NDArray[np.float64], ends: list[int]) -> NDArray[np.float64]:
    backwards = [norms[:end, row][::-1] for row, end in enumerate(ends)]
    return _mean([row / max(row[0], 1e-30) for row in backwards], len(norms))


def _mean(rows: list[NDArray[np.float64]], size: int) -> NDArray[np.float64]:
    """Over the utterances that are long enough, at each of ``size`` places."""
    total, count = np.zeros(size), np.zeros(size)
    for row in rows:
        total[: len(row)] += row
        count[: len(row)] += 1
    mean: NDArray[np.float64] = total / count.clip(min=1)
    return mean


def _of_parts(network: RecurrentCTC, loss: Tensor) -> dict[str, float]:
    """Zero for a part that is frozen."""
    parts: dict[str, nn.Module] = {"subsampling": network.subsampling}
    parts |= {f"recurrent_{number}": block for number, block in enumerate(network.blocks, 1)}
    if network.lookahead is not None:
        parts["lookahead"] = network.lookahead
    parts["head"] = network.head
    weights = {name: [w for w in part.parameters() if w.requires_grad] for name, part in parts.items()}
    found = iter(torch.autograd.grad(loss, [weight for some in weights.values() for weight in some]))
    squares = {name: sum(float(next(found).square().sum()) for _ in some) for name, some in weights.items()}
    return {name: square**0.5 for name, square in squares.items()}
