"""The words that mean something to every language model, and sentences whose words are characters."""

from collections.abc import Iterable, Sequence
from functools import cached_property

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
SPACE = "<space>"
"""The space, in models whose words are characters."""


def to_characters(words: Iterable[str]) -> list[str]:
    """The characters of a sentence as words of their own. Example: ["to", "me"] -> ["t", "o", "<space>", "m", "e"]"""
    return [SPACE if character == " " else character for character in " ".join(words)]


class WordModel:
    """What every language model says of its words, whatever its n-grams are kept in."""

    words: Sequence[str]
    """Words by id; 0 is <unk>."""
    counts: tuple[int, ...]
    """The number of n-grams of each order."""

    @property
    def order(self) -> int:
        """The number of words in the longest n-gram."""
        return len(self.counts)

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

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}
