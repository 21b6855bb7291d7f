"""The shape of a network, apart from the network: known without torch, as exported models need it."""

from dataclasses import dataclass, field

from asr.errors import ConfigError
from asr.wording import counted

KINDS = ("ctc", "seq2seq", "classifier")
"""What ``asr.kinds`` has a network, a loss and a decoder for."""
POOLINGS = ("mean", "last")
CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
STRIDES = {1: (1,), 2: (2, 1), 3: (3, 1), 4: (2, 2), 8: (2, 2, 2)}
"""Total subsampling to the stride of each convolution."""
_MOST = {
    "num_layers": 100,
    **dict.fromkeys(("hidden_size", "projection", "num_channels", "kernel_size", "lookahead"), 65536),
}
"""Beyond it a file is damaged, and its network would take all memory."""


@dataclass(frozen=True)
class AttentionSettings:
    """The decoder that writes a text label by label and attends to the frames (model.kind=seq2seq)."""

    cell: str = "lstm"
    """lstm or gru."""
    hidden_size: int = 256
    embedding_size: int = 64
    """Of the label that was written last."""
    width: int = 128
    """Of the space in which the decoder's state is compared with the frames."""
    num_filters: int = 10
    """Convolutions that see where it has attended before."""
    reach: int = 15
    """Frames after subsampling, to either side, that they see."""
    dropout: float = 0.3
    """Of embeddings, and before the labels' scores."""
    ctc_weight: float = 0.5
    """Share of the CTC loss (Watanabe et al. 2017), in the search too; 0 trains by attention alone, and the CTC head
    only listens."""
    scheduled_sampling: float = 0.1
    """Share of labels that are the decoder's own instead of the text's in training (Bengio et al. 2015)."""
    longest: float = 12.0
    """Seconds that it writes at once; longer recordings are cut in pauses. About the longest trained on."""

    def __post_init__(self) -> None:
        if self.cell not in ("lstm", "gru"):
            raise ConfigError(f"model.attention.cell={self.cell!r} is not one of lstm, gru.")
        for key in ("hidden_size", "embedding_size", "width", "num_filters", "reach"):
            if not 1 <= getattr(self, key) <= 65536:
                raise ConfigError(f"model.attention.{key}={getattr(self, key)} must lie between 1 and 65536.")
        for key in ("dropout", "ctc_weight", "scheduled_sampling"):
            if not 0 <= getattr(self, key) < 1:
                raise ConfigError(f"model.attention.{key}={getattr(self, key)} must lie in [0, 1).")
        if self.longest <= 0:
            raise ConfigError("model.attention.longest must be positive.")


@dataclass(frozen=True)
class ModelSettings:
    """The shape of the network; stored with the model."""

    kind: str = "ctc"
    """What stands on the recurrent layers: ctc, symbols for each frame; seq2seq, an attention decoder besides;
    classifier, a label for the whole."""
    pooling: str = "mean"
    """Of a classifier: the mean of the last layer's outputs, or the last of each direction."""
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
    attention: AttentionSettings = field(default_factory=AttentionSettings)

    def __post_init__(self) -> None:
        for key, known in {"kind": KINDS, "pooling": POOLINGS, "cell": CELLS}.items():
            if getattr(self, key) not in known:
                raise ConfigError(f"model.{key}={getattr(self, key)!r} is not one of {', '.join(known)}.")
        if self.pooling == "last" and self.projection:
            raise ConfigError(
                "model.pooling=last takes the last output of each direction, which model.projection mixes; "
                "set model.projection=0, or model.pooling=mean."
            )
        if self.subsampling not in STRIDES:
            raise ConfigError(f"model.subsampling={self.subsampling} is not one of 1, 2, 3, 4, 8.")
        if self.kernel_size % 2 == 0:
            raise ConfigError(f"model.kernel_size={self.kernel_size} must be odd: time stays centred.")
        if min(self.num_layers, self.hidden_size, self.num_channels, self.kernel_size) < 1:
            raise ConfigError("model: num_layers, hidden_size, num_channels, kernel_size must be positive.")
        for key, most in _MOST.items():
            if getattr(self, key) > most:
                raise ConfigError(f"model.{key}={getattr(self, key)} is more than {most}.")
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
