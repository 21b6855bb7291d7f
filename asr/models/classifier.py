"""Many to one: the encoder of every model, its outputs pooled over time, and a score for each label."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from asr.model_settings import ModelSettings
from asr.models.lengths import zero_padding
from asr.models.losses import class_losses, smoothed
from asr.models.network import Encoder


class RecurrentClassifier(Encoder):
    """One row of scores for a whole recording, as long as it may be."""

    def __init__(self, settings: ModelSettings, num_features: int, vocabulary_size: int):
        super().__init__(settings, num_features)
        self.settings = settings
        self.head = nn.Sequential(
            nn.Dropout(settings.dropouts[-1]), nn.Linear(self.num_outputs, vocabulary_size - 1)
        )

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, time, feature)`` to log_probs ``(batch, 1, vocab)``, minus infinity for the blank; lengths of 1."""
        hidden, lengths = self.encode(features, lengths)
        if self.lookahead is not None:
            hidden = self.lookahead(hidden, lengths)
        scores = self.head(self.pool(hidden, lengths)).float().log_softmax(dim=-1)
        log_probs = functional.pad(scores, (1, 0), value=-torch.inf).unsqueeze(1)
        return log_probs, torch.ones_like(lengths)

    def losses(
        self, outputs: tuple[Tensor, ...], targets: Tensor, target_lengths: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The cross-entropies; what is smoothed knows no blank, whose score is minus infinity."""
        log_probs, lengths = outputs
        losses = class_losses(log_probs, targets)
        return losses, smoothed(losses, log_probs[..., 1:], lengths, smoothing)

    def pool(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, time, width)`` to ``(batch, width)``; what lies beyond a length has no part in it."""
        if self.settings.pooling == "mean":
            return zero_padding(hidden, lengths).sum(dim=1) / lengths.unsqueeze(1)
        last = hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
        if not self.settings.bidirectional:
            return last
        units = self.settings.hidden_size  # the other direction ends where the recording begins
        return torch.cat([last[:, :units], hidden[:, 0, units:]], dim=-1)
