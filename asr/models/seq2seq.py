"""The CTC network with an attention decoder above its recurrent layers, trained jointly (Watanabe et al. 2017)."""

import torch
from torch import Tensor

from asr.model_settings import ModelSettings
from asr.models.losses import ctc_losses, label_losses, smoothed
from asr.models.network import RecurrentCTC
from asr.models.speller import Speller


class Seq2Seq(RecurrentCTC):
    """Listen, Attend and Spell (Chan et al. 2016), whose CTC head stays of use: for pauses, times and joint scores."""

    of_vocabulary = ("head", "speller.embedding", "speller.output")

    def __init__(self, settings: ModelSettings, num_features: int, vocabulary_size: int):
        super().__init__(settings, num_features, vocabulary_size)
        self.ctc_weight = settings.attention.ctc_weight
        self.speller = Speller(settings.attention, self.num_outputs, vocabulary_size)

    def rows(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The log_probs of the CTC head, and to their right what the decoder attends to."""
        hidden, lengths = self.encode(features, lengths)
        return torch.cat([self.conclude(hidden, lengths), hidden.float()], dim=-1), lengths

    def outputs(self, features: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """The log_probs of the CTC head, their lengths, and those of the labels ``(batch, label + 1, vocab)``.

        A CTC head without weight only listens: it learns, and the layers below it do not hear of it.
        """
        hidden, lengths = self.encode(features, lengths)
        log_probs = self.conclude(hidden if self.ctc_weight else hidden.detach(), lengths)
        # In float32 whatever the autocast: a loop of small steps is slower in half precision.
        with torch.autocast(hidden.device.type, enabled=False):
            return log_probs, lengths, self.speller(hidden, lengths, targets)

    def losses(
        self, outputs: tuple[Tensor, ...], targets: Tensor, target_lengths: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The two losses by their weights; of the attention's, a share is exchanged as ``smoothed`` says."""
        log_probs, lengths, spelled = outputs
        heard = (self.ctc_weight or 1.0) * ctc_losses(log_probs, lengths, targets, target_lengths)
        losses = label_losses(spelled, targets, target_lengths)
        softened = smoothed(losses, spelled, target_lengths + 1, smoothing)
        share = 1 - self.ctc_weight
        return share * losses + heard, share * softened + heard
