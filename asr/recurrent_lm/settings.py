"""The shape of a recurrent language model and how it is trained, apart from torch; stored with its weights."""

from dataclasses import dataclass

from asr.errors import ConfigError
from asr.model_settings import CELLS

UNITS = ("words", "characters")
_LARGEST = 65536
"""Beyond it a file is damaged, and its network would take all memory."""


@dataclass(frozen=True)
class RecurrentLMSettings:
    """One training; with the text and the dev text it decides every bit of the weights."""

    unit: str = "words"
    """words, or characters, the space among them."""
    cell: str = "lstm"
    """lstm, gru, rnn_tanh or rnn_relu."""
    num_layers: int = 1
    size: int = 200
    """Units of each layer, and width of the word vectors, which are those of the softmax too (Press and Wolf 2017)."""
    cutoffs: tuple[int, ...] = (1000, 5000)
    """Ranks by frequency at which the clusters of the adaptive softmax begin (Grave et al. 2017), each a quarter as
    wide as the one before; those beyond the vocabulary count for nothing: small ones have a plain softmax."""
    min_count: int = 1
    """Words seen less often are unknown words."""
    max_words: int = 200_000
    """The most frequent ones; the others are unknown words."""
    unknown: float = 0.5
    """Share of the words seen once that are read as unknown ones, others in each epoch: how often such words come
    is what they say of words never seen (Good 1953)."""
    dropout: float = 0.35
    """Of each layer's input and output, the same units at all steps (Gal and Ghahramani 2016)."""
    weight_dropout: float = 0.2
    """Of the recurrent weights, other ones in each batch (Merity et al. 2018)."""
    word_dropout: float = 0.05
    """Of whole words at the input, wherever they stand in a batch."""
    batch_size: int = 20
    """Places of the text that are read at once."""
    num_steps: int = 35
    """Words that errors are carried back; the state is carried on from there."""
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    clip_norm: float = 1.0
    """Gradient norm above which it is scaled down; 0 leaves it as it is."""
    max_epochs: int = 40
    patience: int = 1
    """Epochs without a better dev perplexity before the learning rate falls."""
    drop: float = 0.4
    """What it is multiplied by then; the training goes on from the best weights."""
    max_drops: int = 3
    """After so many falls the next one ends the training."""
    shuffle: bool = True
    """Other neighbours for each sentence in each epoch, as in recordings of single sentences."""
    seed: int = 1

    def __post_init__(self) -> None:
        for key, choices in {"unit": UNITS, "cell": CELLS}.items():
            if getattr(self, key) not in choices:
                raise ConfigError(f"{key}={getattr(self, key)!r} is not one of {', '.join(choices)}.")
        for key in ("num_layers", "size", "batch_size", "num_steps", "max_epochs", "min_count", "patience"):
            if not 1 <= getattr(self, key) <= _LARGEST:
                raise ConfigError(f"{key}={getattr(self, key)} does not lie between 1 and {_LARGEST}.")
        for key in ("dropout", "weight_dropout", "word_dropout"):
            if not 0 <= getattr(self, key) < 1:
                raise ConfigError(f"{key}={getattr(self, key)} does not lie in [0, 1).")
        if not 0 <= self.unknown <= 1 or not 0 < self.drop < 1:
            raise ConfigError("unknown must lie in [0, 1], and drop between 0 and 1.")
        if min(self.weight_decay, self.clip_norm, self.max_drops) < 0 or self.learning_rate <= 0:
            raise ConfigError(
                "weight_decay, clip_norm and max_drops must not be negative, and learning_rate be positive."
            )
        if any(lower >= upper for lower, upper in zip((1, *self.cutoffs), self.cutoffs, strict=False)):
            raise ConfigError(f"cutoffs={list(self.cutoffs)} must be ranks above 1 that rise.")
        if self.max_words < 1:
            raise ConfigError("max_words must be positive.")
