"""What is minimised: losses of whole utterances, and against overconfidence a little pull towards the uniform."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from asr.models.lengths import valid_positions
from asr.models.long_ctc import long_ctc_losses


def ctc_losses(
    log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, block: int = 0
) -> Tensor:
    """The CTC loss ``(batch,)`` in nats (Graves et al. 2006); infinite where no alignment exists.

    With ``block`` frames, in the memory that the scores of so many take.
    """
    if block:
        return long_ctc_losses(log_probs, lengths, targets, target_lengths, block)
    return functional.ctc_loss(
        log_probs.transpose(0, 1),  # (time, batch, vocab)
        targets,
        lengths,
        target_lengths,
        reduction="none",
    )


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


def disagreement(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """How far apart two views ``(batch, 2, time, vocab)`` of the same utterances are, ``(batch,)`` in nats.

    Half of KL(one || other) + KL(other || one), summed over frames; each view goes towards the other as it stands,
    which gets no gradient of being gone towards (Yao et al. 2025).
    """
    # No symbol is impossible here: minus infinity (a classifier's blank) less itself would be no number.
    one, other = log_probs.clamp(min=-1e4).unbind(dim=1)
    apart = sum(
        functional.kl_div(moving, goal.detach(), reduction="none", log_target=True).sum(dim=-1)
        for moving, goal in ((one, other), (other, one))
    )
    inside = valid_positions(lengths, log_probs.shape[2])
    return 0.5 * (apart * inside).sum(dim=1)


def label_losses(log_probs: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The cross-entropy ``(batch,)`` in nats of each text's labels and its end, of ``(batch, label + 1, vocab)``."""
    inside = valid_positions(target_lengths, targets.shape[1])
    wanted = functional.pad(targets * inside, (0, 1))  # behind the last label stands the end, the blank's id
    found = log_probs.gather(2, wanted.unsqueeze(2)).squeeze(2)
    counted = valid_positions(target_lengths + 1, wanted.shape[1])
    return -torch.where(counted, found, 0.0).sum(dim=1)


def class_losses(log_probs: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy ``(batch,)`` in nats of one label a recording, whose scores are ``(batch, 1, vocab)``."""
    return functional.nll_loss(log_probs[:, 0], targets[:, 0], reduction="none")
