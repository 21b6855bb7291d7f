"""The CTC loss of long recordings: forward and backward scores of a block of frames in memory, not of all.

torch keeps both for every frame and state: 540 MB for five minutes of speech. Here the forward scores are kept at the
first frame of each block and computed again, block by block from the end, when the backward scores pass by.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_NEVER = -1e30
"""Below any log score, and still finite: infinity less infinity is no number."""


def long_ctc_losses(
    log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, num_frames: int
) -> Tensor:
    """What ``ctc_losses`` gives, in the memory of ``num_frames`` rows of scores.

    ``targets`` is ``(batch, label)``; the result is infinite where no alignment exists.
    """
    lattice = _Lattice.of(targets.to(log_probs.device), target_lengths.to(log_probs.device))
    losses: Tensor = _LongCTC.apply(  # type: ignore[no-untyped-call]
        log_probs, lengths.to(log_probs.device), lattice, num_frames
    )
    return losses


@dataclass(frozen=True)
class _Lattice:
    """The states of each utterance: its labels with a blank before each, and one at the end."""

    symbols: Tensor
    """``(batch, states)``"""
    skips: Tensor
    """``(batch, states)`` log 1 where a state may follow the one two before it, else never."""
    finals: Tensor
    """``(batch, states)`` log 1 in the last label and the last blank, else never."""

    @classmethod
    def of(cls, targets: Tensor, target_lengths: Tensor) -> "_Lattice":
        symbols = targets.new_zeros(len(targets), 2 * targets.shape[1] + 1)
        symbols[:, 1::2] = targets
        places = torch.arange(symbols.shape[1], device=symbols.device)
        differs = symbols != symbols.roll(2, dims=1)
        ends = 2 * target_lengths.unsqueeze(1)
        return cls(
            symbols,
            _log(differs & (places % 2 == 1) & (places > 1)),
            _log((places == ends) | (places == (ends - 1).clamp(min=0))),
        )

    def forward(self, scores: Tensor) -> Tensor:
        """``(batch, states)`` a frame on, what the frame itself gives apart."""
        return torch.logaddexp(torch.logaddexp(scores, _moved(scores, 1)), _moved(scores, 2) + self.skips)

    def backward(self, scores: Tensor) -> Tensor:
        """``(batch, states)`` a frame back, from scores that hold what the frame after gives."""
        return torch.logaddexp(torch.logaddexp(scores, _moved(scores, -1)), _moved(scores + self.skips, -2))


class _LongCTC(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, lengths: Tensor, lattice: _Lattice, num_frames: int) -> Tensor:
        before = torch.full(lattice.symbols.shape, _NEVER, device=log_probs.device)
        before[:, 0] = 0.0  # then the first frame may be the first blank or the first label
        scale = log_probs.new_zeros(len(log_probs), dtype=torch.float32)
        borders = []
        for start in range(0, log_probs.shape[1], num_frames):
            borders.append(before)
            block = log_probs[:, start : start + num_frames]
            for scores, moved in _forwards(block, lengths - start, lattice, before):
                before, scale = scores, scale + moved
        ctx.save_for_backward(log_probs, lengths, *borders)
        ctx.lattice, ctx.num_frames = lattice, num_frames
        ended = (before + lattice.finals).logsumexp(dim=1)
        return torch.where(ended > _NEVER / 2, -ended - scale, torch.inf)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        log_probs, lengths, *borders = ctx.saved_tensors
        lattice: _Lattice = ctx.lattice
        gradient = torch.zeros_like(log_probs)
        after = lattice.finals
        for place in reversed(range(len(borders))):
            start = place * ctx.num_frames
            block = log_probs[:, start : start + ctx.num_frames]
            left = lengths - start
            forwards = [scores for scores, _ in _forwards(block, left, lattice, borders[place])]
            for frame in reversed(range(block.shape[1])):
                shares = (forwards[frame] + after).softmax(dim=1) * (frame < left).unsqueeze(1)
                gradient[:, start + frame].scatter_add_(1, lattice.symbols, -shares)
                emitted = after + block[:, frame].float().gather(1, lattice.symbols)
                behind = lattice.backward(emitted - emitted.amax(dim=1, keepdim=True))
                after = torch.where((frame < left).unsqueeze(1), behind, after)
        return gradient * upstream[0].view(-1, 1, 1), None, None, None


def _forwards(block: Tensor, left: Tensor, lattice: _Lattice, before: Tensor) -> Any:
    """Each frame's scores ``(batch, states)``, their highest made 0, and by how much ``(batch,)`` that moved them."""
    for frame in range(block.shape[1]):
        scores = lattice.forward(before) + block[:, frame].float().gather(1, lattice.symbols)
        highest = scores.amax(dim=1, keepdim=True).clamp(min=_NEVER / 2)
        inside = (frame < left).unsqueeze(1)
        before = torch.where(inside, scores - highest, before).clamp(min=_NEVER)
        yield before, torch.where(inside, highest, 0.0).squeeze(1)


def _moved(scores: Tensor, places: int) -> Tensor:
    """By so many states to the right; what comes in is never."""
    around = (places, 0) if places > 0 else (0, -places)
    padded = torch.nn.functional.pad(scores, around, value=_NEVER)
    return padded[:, : scores.shape[1]] if places > 0 else padded[:, -places:]


def _log(chosen: Tensor) -> Tensor:
    return torch.where(chosen, 0.0, _NEVER)
