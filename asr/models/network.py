"""Features to log_probs: subsampling, a stack of recurrent layers, a linear CTC head (Graves et al. 2006)."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from asr.errors import ConfigError
from asr.models.lookahead import Lookahead
from asr.models.recurrent import CELLS, RecurrentLayer
from asr.models.subsampling import STRIDES, Subsampling
from asr.wording import counted


@dataclass(frozen=True)
class ModelSettings:
    """The shape of the network; stored with the model."""

    cell: str = "lstm"
    """lstm, gru, rnn_tanh or rnn_relu."""
    bidirectional: bool = True
    """Hear the whole utterance before deciding; false for a model that runs while somebody speaks."""
    lookahead: int = 0
    """Frames after subsampling that a row convolution above one-directional layers waits for
    (Amodei et al. 2016, section 3.7); 0 is none."""
    num_layers: int = 3
    hidden_size: int = 256
    """Units a direction."""
    projection: int = 0
    """Width of a linear layer after each recurrent layer (Sak et al. 2014); 0 is none."""
    residual: bool = False
    """Add a layer's input to its output where their widths agree."""
    layer_norm: bool = True
    """Normalise each layer's output."""
    dropout: float = 0.3
    """Between layers, and before the head."""
    layer_dropout: tuple[float, ...] = ()
    """Instead, a number before each recurrent layer and one before the head, as [0.1, 0.2, 0.3, 0.5]."""
    subsampling: int = 4
    """Frames in for one out: 1, 2, 3, 4, or 8 (subwords only); digits and spelled letters need 2."""
    num_channels: int = 256
    """Channels of the subsampling convolutions."""
    kernel_size: int = 5
    """Frames that each convolution sees; odd."""

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ConfigError(f"model.cell={self.cell!r} is not one of {', '.join(CELLS)}.")
        if self.subsampling not in STRIDES:
            raise ConfigError(f"model.subsampling={self.subsampling} is not one of 1, 2, 3, 4, 8.")
        if self.kernel_size % 2 == 0:
            raise ConfigError(f"model.kernel_size={self.kernel_size} must be odd: time stays centred.")
        if min(self.num_layers, self.hidden_size, self.num_channels, self.kernel_size) < 1:
            raise ConfigError("model: num_layers, hidden_size, num_channels, kernel_size must be positive.")
        for key in ("projection", "lookahead"):
            if getattr(self, key) < 0:
                raise ConfigError(f"model.{key}={getattr(self, key)} must not be negative; 0 is none.")
        if self.lookahead and self.bidirectional:
            raise ConfigError(
                f"model.lookahead={self.lookahead} is of no use to two directions, which hear all that follows; "
                "set model.bidirectional=false."
            )
        if not all(0 <= share < 1 for share in (self.dropout, *self.layer_dropout)):
            raise ConfigError("model: dropout and each of layer_dropout must lie in [0, 1).")
        if len(self.layer_dropout) not in (0, self.num_layers + 1):
            raise ConfigError(
                f"model.layer_dropout has {counted(len(self.layer_dropout), 'number')}; "
                f"{counted(self.num_layers, 'layer')} and the head need {self.num_layers + 1}."
            )

    @property
    def dropouts(self) -> tuple[float, ...]:
        """Before each recurrent layer, and before the head."""
        return self.layer_dropout or (self.dropout,) * (self.num_layers + 1)


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
        heard, state = self.layer.ahead(inputs, state)
        return self._surround(inputs, heard), state

    def _surround(self, inputs: Tensor, heard: Tensor) -> Tensor:
        outputs = self.projection(heard)
        if self.residual:
            outputs = outputs + inputs
        normalized: Tensor = self.norm(outputs)
        return normalized


class RecurrentCTC(nn.Module):
    """The network behind every model of ours; what it is made of, ``ModelSettings`` says."""

    def __init__(self, settings: ModelSettings, num_features: int, vocabulary_size: int):
        super().__init__()
        self.subsampling = Subsampling(
            num_features, settings.num_channels, settings.subsampling, settings.kernel_size, settings.dropout
        )
        blocks: list[RecurrentBlock] = []
        width = settings.num_channels
        *between, before_head = settings.dropouts
        for dropout in between:
            blocks.append(RecurrentBlock(settings, width, dropout))
            width = blocks[-1].num_outputs
        self.blocks = nn.ModuleList(blocks)
        self.lookahead = Lookahead(width, settings.lookahead) if settings.lookahead else None
        self.head = nn.Sequential(nn.Dropout(before_head), nn.Linear(width, vocabulary_size))

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, time, feature)`` to log_probs ``(batch, time / stride, vocab)`` and their lengths."""
        hidden, lengths = self.subsampling(features, lengths)
        for block in self.blocks:
            hidden = block(hidden, lengths)
        return self.conclude(hidden, lengths), lengths

    def conclude(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """What follows the recurrent layers: ``(batch, time, width)`` to log_probs ``(batch, time, vocab)``."""
        if self.lookahead is not None:
            hidden = self.lookahead(hidden, lengths)
        # In float32 whatever the autocast: log-probabilities near zero need the digits.
        log_probs: Tensor = self.head(hidden).float().log_softmax(dim=-1)
        return log_probs
