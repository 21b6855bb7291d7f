"""Recordings of any length in the memory of a chunk: truncated backpropagation through time.

The network runs chunk by chunk and carries its state from one to the next, so its answer is that of the whole; the
gradient is cut where the state is handed over (Williams and Peng 1990). What a chunk computed is thrown away and
computed again on the way back (Chen et al. 2016), so that one chunk's activations are in memory at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from asr.models import RecurrentCTC, output_lengths
from asr.models.losses import ctc_losses, smoothed
from asr.settings import Settings


def chunk_frames(settings: Settings) -> int:
    """Frames after subsampling in ``trainer.chunk_seconds``; 0 where utterances are heard whole."""
    seconds = settings.trainer.chunk_seconds
    frame_seconds = settings.features.hop_seconds * settings.model.subsampling
    return max(1, round(seconds / frame_seconds)) if seconds else 0


def hear(network: RecurrentCTC, features: Tensor, lengths: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
    """What ``network(features, lengths)`` gives, ``num_frames`` log_probs at a time.

    The gradient of each row of log_probs reaches back to the beginning of its chunk, and no further.
    """
    total = output_lengths(features.shape[1], network.subsampling.factor)
    states: Sequence[Any] = [None] * len(network.blocks)
    rows = []
    for start in range(0, total, num_frames):
        span = (start, min(start + num_frames, total), total)
        log_probs, states = checkpoint(
            _chunk, network, features, lengths, span, [_cut(state) for state in states], use_reentrant=False
        )
        rows.append(log_probs)
    return torch.cat(rows, dim=1), output_lengths(lengths, network.subsampling.factor)


@dataclass(frozen=True)
class InChunks:
    """A CTC network that learns ``num_frames`` log_probs at a time; otherwise as the network itself does."""

    network: RecurrentCTC
    num_frames: int

    def outputs(self, features: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """As the network's."""
        return hear(self.network, features, lengths, self.num_frames)

    def losses(
        self, outputs: tuple[Tensor, ...], targets: Tensor, target_lengths: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """As the network's, in the memory that the scores of a chunk take."""
        log_probs, lengths = outputs
        losses = ctc_losses(log_probs, lengths, targets, target_lengths, self.num_frames)
        return losses, smoothed(losses, log_probs, lengths, smoothing)


def _chunk(
    network: RecurrentCTC, features: Tensor, lengths: Tensor, span: tuple[int, int, int], states: list[Any]
) -> tuple[Tensor, list[Any]]:
    """The log_probs from ``span[0]`` to ``span[1]``, and the states at its end."""
    start, end, total = span
    seen = min(total, end + (network.lookahead.num_ahead if network.lookahead else 0))
    inside = _subsampled(network, features, lengths, start, seen)
    inside, beyond = inside[:, : end - start], inside[:, end - start :]
    carried = []
    blocks: list[Any] = list(network.blocks)
    for block, before in zip(blocks, states, strict=True):
        inside, state = block.resume(inside, before)
        carried.append(state)
        # What the row convolution waits for; no cell takes a sequence without frames.
        beyond = block.resume(beyond, state)[0] if beyond.shape[1] else inside[:, :0]
    left = (output_lengths(lengths, network.subsampling.factor) - start).clamp(0, seen - start)
    return network.conclude(torch.cat([inside, beyond], dim=1), left)[:, : end - start], carried


def _subsampled(network: RecurrentCTC, features: Tensor, lengths: Tensor, start: int, end: int) -> Tensor:
    """As many frames to both sides are run as the convolutions hear, and their own outputs thrown away."""
    factor, reach = network.subsampling.factor, network.subsampling.reach
    first = max(0, start * factor - reach) // factor * factor
    window = features[:, first : (end - 1) * factor + reach + 1]
    outputs: Tensor = network.subsampling(window, (lengths - first).clamp(0, window.shape[1]))[0]
    return outputs[:, start - first // factor : end - first // factor]


def _cut(state: Any) -> Any:
    """Without its history; an LSTM has a hidden state and its cells, the others one tensor."""
    return tuple(map(_cut, state)) if isinstance(state, tuple) else state if state is None else state.detach()
