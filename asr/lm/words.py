"""The words that mean something to every language model, and sentences whose words are characters."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
SPACE = "<space>"
"""The space, in models whose words are characters."""


def to_characters(words: Iterable[str]) -> list[str]:
    """The characters of a sentence as words of their own. Example: ["to", "me"] -> ["t", "o", "<space>", "m", "e"]"""
    return [SPACE if character == " " else character for character in " ".join(words)]


class WordModel:
    """What every language model says of its words, whatever it is made of; natural logarithms throughout."""

    words: Sequence[str]
    """Words by id; 0 is <unk>."""
    asks = False
    """Whether a search has to ask it in Python (``open``), as it is no arrays for compiled code."""

    if TYPE_CHECKING:  # an attribute of some, computed when it is asked for by others

        @property
        def log_prob(self) -> NDArray[np.float32]:
            """``(num_words,)`` and perhaps more behind them: of each word after nothing."""

    @cached_property
    def eos(self) -> int:
        """The id of </s>."""
        return self._ids[END]

    @cached_property
    def is_characters(self) -> bool:
        """Whether its words are single characters, one of them the space."""
        return SPACE in self._ids

    def word_id(self, word: str) -> int:
        """The id of a word, 0 if the model does not know it."""
        return self._ids.get(word, 0)

    def open(self) -> "Asked":
        """What one search asks."""
        raise NotImplementedError

    def score(self, words: Sequence[str]) -> list[float]:
        """The log-probability of each word of a sentence after those before it, and of </s> at the end."""
        raise NotImplementedError

    def score_all(self, sentences: Sequence[Sequence[str]]) -> list[list[float]]:
        """``score`` of each."""
        return [self.score(words) for words in sentences]

    def score_words(self, sentences: Sequence[Sequence[str]]) -> list[list[float]]:
        """``score_all`` of words, by a model of characters too: a word is its characters and the space behind it."""
        if not self.is_characters:
            return self.score_all(sentences)
        spelled = self.score_all([to_characters(words) for words in sentences])
        return [_join(words, scores) for words, scores in zip(sentences, spelled, strict=True)]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}


class NGramModel(WordModel):
    """What every n-gram model says besides."""

    counts: tuple[int, ...]
    """The number of n-grams of each order."""

    if TYPE_CHECKING:

        @property
        def bos_state(self) -> int:
            """The state at the beginning of a sentence."""

        @property
        def arrays(self) -> tuple[NDArray[Any], ...]:
            """What compiled code looks up, of a model that is not asked."""

    @property
    def order(self) -> int:
        """The number of words in the longest n-gram."""
        return len(self.counts)

    def advance(self, state: int, word: int) -> tuple[float, int]:
        """The log-probability of a word after a state, and the state after it."""
        raise NotImplementedError


class Asked(Protocol):
    """A model that a search asks, about many words at once; states are numbers that mean something to it alone."""

    @property
    def bos_state(self) -> int:
        """Before any word."""

    @property
    def eos(self) -> int:
        """The id of </s>."""

    def advance_all(self, states: Sequence[int], words: Sequence[int]) -> list[tuple[float, int]]:
        """The log-probability of each word after its state, and the state after it."""


def _join(words: Sequence[str], scores: Sequence[float]) -> list[float]:
    """The scores of the characters of each word and the space behind it, and that of the end."""
    ends = np.cumsum([0, *(len(word) + 1 for word in words)])
    ends[-1] -= len(words) > 0  # no space behind the last word
    return [*(float(sum(scores[start:end])) for start, end in pairwise(ends)), float(scores[-1])]
