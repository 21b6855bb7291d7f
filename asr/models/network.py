"""Features to log_probs: subsampling, a stack of recurrent layers, a linear CTC head (Graves et al. 2006)."""

from typing import Any

from torch import Tensor, nn

from asr.model_settings import ModelSettings
from asr.models.lookahead import Lookahead
from asr.models.losses import ctc_losses, smoothed
from asr.models.recurrent import RecurrentLayer
from asr.models.subsampling import Subsampling


class RecurrentBlock(nn.Module):
    """A recurrent layer with what surrounds it: dropout before, projection, residual and layer norm after."""

    def __init__(self, settings: ModelSettings, num_inputs: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.layer = RecurrentLayer(settings.cell, num_inputs, settings.hidden_size, settings.bidirectional)
        self.num_outputs = settings.projection or self.layer.num_outputs
        self.projection = (
            nn.Linear(self.layer.num_outputs, self.num_outputs) if settings.projection else nn.Identity()
        )
        self.residual = settings.residual and self.num_outputs == num_inputs
        self.norm = nn.LayerNorm(self.num_outputs) if settings.layer_norm else nn.Identity()

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, time, num_inputs)`` to ``(batch, time, num_outputs)``."""
        return self._surround(inputs, self.layer(self.dropout(inputs), lengths))

    def resume(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The outputs of one direction from where an earlier call left it, and where this one leaves it."""
        heard, state = self.layer.ahead(self.dropout(inputs), state)
        return self._surround(inputs, heard), state

    def _surround(self, inputs: Tensor, heard: Tensor) -> Tensor:
        outputs = self.projection(heard)
        if self.residual:
            outputs = outputs + inputs
        normalized: Tensor = self.norm(outputs)
        return normalized


class Encoder(nn.Module):
    """What every model of ours begins with; what it is made of, ``ModelSettings`` says."""

    of_vocabulary: tuple[str, ...] = ("head",)
    """The parts whose weights are of use with one vocabulary only."""

    def __init__(self, settings: ModelSettings, num_features: int):
        super().__init__()
        self.subsampling = Subsampling(
            num_features, settings.num_channels, settings.subsampling, settings.kernel_size, settings.dropout
        )
        blocks: list[RecurrentBlock] = []
        width = settings.num_channels
        for dropout in settings.dropouts[:-1]:
            blocks.append(RecurrentBlock(settings, width, dropout))
            width = blocks[-1].num_outputs
        self.blocks = nn.ModuleList(blocks)
        self.lookahead = Lookahead(width, settings.lookahead) if settings.lookahead else None
        self.num_outputs = width

    def encode(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, time, feature)`` to ``(batch, time / stride, num_outputs)`` and their lengths."""
        hidden, lengths = self.subsampling(features, lengths)
        for block in self.blocks:
            hidden = block(hidden, lengths)
        return hidden, lengths

    def outputs(self, features: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """What the loss is computed from; some kinds of networks need the texts ``targets (batch, label)`` for it."""
        return self(features, lengths)  # type: ignore[no-any-return]

    def losses(
        self, outputs: tuple[Tensor, ...], targets: Tensor, target_lengths: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The loss ``(batch,)`` of each utterance in nats, infinite where it has none; and what is to be minimised."""
        raise NotImplementedError

    def rows(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """All that is known of each frame: the log_probs, and to their right what some kinds of networks add."""
        return self(features, lengths)  # type: ignore[no-any-return]


class RecurrentCTC(Encoder):
    """Scores of symbols for each frame."""

    def __init__(self, settings: ModelSettings, num_features: int, vocabulary_size: int):
        super().__init__(settings, num_features)
        before_head = settings.dropouts[-1]
        self.head = nn.Sequential(nn.Dropout(before_head), nn.Linear(self.num_outputs, vocabulary_size))

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, time, feature)`` to log_probs ``(batch, time / stride, vocab)`` and their lengths."""
        hidden, lengths = self.encode(features, lengths)
        return self.conclude(hidden, lengths), lengths

    def losses(
        self, outputs: tuple[Tensor, ...], targets: Tensor, target_lengths: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The CTC losses; see ``Encoder.losses``."""
        log_probs, lengths = outputs
        losses = ctc_losses(log_probs, lengths, targets, target_lengths)
        return losses, smoothed(losses, log_probs, lengths, smoothing)

    def conclude(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """What follows the recurrent layers: ``(batch, time, width)`` to log_probs ``(batch, time, vocab)``."""
        if self.lookahead is not None:
            hidden = self.lookahead(hidden, lengths)
        # In float32 whatever the autocast: log-probabilities near zero need the digits.
        log_probs: Tensor = self.head(hidden).float().log_softmax(dim=-1)
        return log_probs
