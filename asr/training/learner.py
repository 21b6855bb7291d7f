"""What computes the loss of a batch: the network on whole utterances, chunk by chunk, or on two views of each."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from asr.models import Encoder, RecurrentCTC
from asr.models.losses import disagreement
from asr.settings import Settings
from asr.training.chunks import InChunks, chunk_frames


class Learner(Protocol):
    """Features to outputs, of which each has a row an utterance; outputs and texts to losses. See ``Encoder``."""

    def outputs(self, features: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """What the loss is computed from."""
        ...

    def losses(
        self, outputs: tuple[Tensor, ...], targets: Tensor, target_lengths: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The loss ``(batch,)`` of each utterance, and what is to be minimised."""
        ...


def learner(network: Encoder, settings: Settings) -> Learner:
    """What the settings ask for."""
    chunk = chunk_frames(settings)
    hearing = InChunks(network, chunk) if chunk and isinstance(network, RecurrentCTC) else network
    consistency = settings.trainer.consistency
    return TwoViews(hearing, consistency) if consistency else hearing


@dataclass(frozen=True)
class TwoViews:
    """Each utterance is heard twice, masked and dropped out otherwise, and what was heard should agree.

    Consistency-regularized CTC (Yao et al. 2025): the mean of the two losses, and ``weight`` times the disagreement.
    """

    hearing: Learner
    weight: float

    def outputs(self, features: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """``(batch, 2, ...)`` of features ``(2 * batch, time, feature)``: one view of all, then the other."""
        outputs = self.hearing.outputs(features, lengths.repeat(2), targets.repeat(2, 1))
        return tuple(_by_view(one).transpose(0, 1) for one in outputs)

    def losses(
        self, outputs: tuple[Tensor, ...], targets: Tensor, target_lengths: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The mean over the views; to be minimised is the disagreement as well."""
        flat = tuple(one.transpose(0, 1).flatten(0, 1) for one in outputs)
        both = self.hearing.losses(flat, targets.repeat(2, 1), target_lengths.repeat(2), smoothing)
        losses, minimised = (_by_view(one).mean(dim=0) for one in both)
        log_probs, lengths = outputs[:2]
        return losses, minimised + self.weight * disagreement(log_probs, lengths[:, 0])


def _by_view(rows: Tensor) -> Tensor:
    return rows.reshape(2, len(rows) // 2, *rows.shape[1:])
