"""What is minimised: the CTC loss, of a classifier the cross entropy, and a little pull against overconfidence."""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from asr.models.lengths import valid_positions


def ctc_losses(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The CTC loss ``(batch,)`` in nats (Graves et al. 2006); infinite where no alignment exists."""
    return nn.functional.ctc_loss(
        log_probs.transpose(0, 1),  # (time, batch, vocab)
        targets,
        lengths,
        target_lengths,
        reduction="none",
    )


def class_losses(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The cross entropy ``(batch,)`` in nats of one label a recording, whose scores are ``(batch, 1, vocab)``."""
    return nn.functional.nll_loss(log_probs[:, 0], targets[:, 0], reduction="none")


class Objective(NamedTuple):
    """What a kind of model is trained for."""

    losses: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    """Of log_probs, their lengths, targets and theirs."""
    first: int
    """The first symbol that label smoothing pulls to: the blank, of classes none."""
    by_frame: bool
    """Whether each frame has scores of its own, so that gradients can be followed from one to others."""


OBJECTIVES = {"ctc": Objective(ctc_losses, 0, True), "classifier": Objective(class_losses, 1, False)}
"""By ``model.kind``."""


def smoothed(losses: Tensor, log_probs: Tensor, lengths: Tensor, share: float) -> Tensor:
    """The losses ``(batch,)`` with a share of them exchanged for the divergence from uniform scores.

    Label smoothing as Kim et al. (2018) have it for CTC, which has no label of a frame to smooth:
    KL(uniform || model), summed over the frames of an utterance.
    """
    if not share:
        return losses
    divergence = -log_probs.mean(dim=-1) - math.log(log_probs.shape[-1])  # (batch, time)
    inside = valid_positions(lengths, log_probs.shape[1])
    return (1 - share) * losses + share * (divergence * inside).sum(dim=1)
