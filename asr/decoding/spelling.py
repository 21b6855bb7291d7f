"""How a model's symbols write words: a letter each, several letters at once, or sounds that a dictionary knows.

A symbol that begins with a space begins a word: of characters that is the space itself, of subwords every other one.
So texts are symbols side by side, and a subword is no more to the search than its letters, said at once: what lexicon
and language model say of a text does not depend on how it was divided. Phones are letters of words that sound alike.
"""

from collections.abc import Sequence
from itertools import chain, islice, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.types import Pronunciations, pronunciations_of

SPACE = " "
MOST_WAYS = 64
"""In which a phrase may be said, so that a hotword of many words with variants each has an end."""


class Spelling(NamedTuple):
    """What the search needs; the letters of a label are ``letters[ends[label] : ends[label + 1]]``."""

    letters: NDArray[np.int32]
    ends: NDArray[np.int32]
    """(num_labels + 1,)"""
    opens: NDArray[np.bool_]
    """(num_labels,) whether a word ends before the label."""
    reach: NDArray[np.float64]
    """(num_labels,) the largest factor that the label could bring, but for that of the word that it ends."""


class Spelled(NamedTuple):
    """Words as letters, a row a way to write one."""

    words: NDArray[np.int64]
    """Places in the list of words; one that cannot be written is not there."""
    letters: NDArray[np.int64]
    """Of all rows, one after the other."""
    lengths: NDArray[np.int64]


class Units:
    """The symbols of a model, seen as letters."""

    def __init__(self, symbols: Sequence[str]):
        self.symbols = symbols
        self.pronunciations: Pronunciations | None = pronunciations_of(symbols)
        letters = symbols[1:] if self.pronunciations else dict.fromkeys(chain.from_iterable(symbols[1:]))
        self.alphabet = (symbols[0], *letters)
        """Letter 0 is none; of characters it is the symbols."""
        self._ids = {letter: place for place, letter in enumerate(self.alphabet) if place}

    @property
    def opens(self) -> NDArray[np.bool_]:
        """(num_labels,) whether a word begins with or behind each label."""
        if self.pronunciations:
            return np.array([symbol == SPACE for symbol in self.symbols])
        return np.array([symbol.startswith(SPACE) for symbol in self.symbols])

    @property
    def space(self) -> int:
        """The letter between words, or -1."""
        return self._ids.get(SPACE, -1)

    def letters(self, label: int) -> list[int]:
        """Of a label, the space among them."""
        symbol = self.symbols[label]
        return (
            [self._ids[letter] for letter in ([symbol] if self.pronunciations else symbol)] if label else []
        )

    def spelling(self, reach: float, hotword_reach: float, *, with_spaces: bool) -> Spelling:
        """For the search; ``reach`` is that of a letter. Only a model of characters counts spaces as letters."""
        rows = [self.letters(label) for label in range(len(self.symbols))]
        rows = [[one for one in row if with_spaces or one != self.space] for row in rows]
        lengths = np.array([len(row) for row in rows])
        return Spelling(
            np.array(list(chain.from_iterable(rows)), np.int32),
            np.cumsum([0, *lengths], dtype=np.int32),
            self.opens,
            hotword_reach * np.power(reach, lengths, where=lengths > 0, out=np.ones(len(rows))),
        )

    def missing(self, word: str) -> str | None:
        """What of a word cannot be written, if anything: a character, or all of a word that nobody says how to say."""
        if self.pronunciations:
            return None if word in self.pronunciations else word
        return next((letter for letter in sorted(set(word)) if letter not in self._ids), None)

    def ways(self, phrase: Sequence[str]) -> list[list[int]]:
        """The letters of a phrase, spaces between its words, in every way that it is said."""
        between = [self._ids[SPACE]] if SPACE in self._ids else []
        ways = islice(product(*map(self._ways, phrase)), MOST_WAYS)
        return [list(chain(way[0], *([*between, *word] for word in way[1:]))) for way in ways]

    def _ways(self, word: str) -> Sequence[Sequence[int]]:
        return self.pronunciations[word] if self.pronunciations else [[self._ids[one] for one in word]]

    def spell(self, words: Sequence[str]) -> Spelled:
        """Every way to write each word that can be written."""
        if self.pronunciations:
            rows = [
                (place, way) for place, word in enumerate(words) for way in self.pronunciations.get(word, ())
            ]
            letters = np.array(list(chain.from_iterable(way for _, way in rows)), np.int64)
            lengths = np.array([len(way) for _, way in rows], np.int64)
            return Spelled(np.array([place for place, _ in rows], np.int64), letters, lengths)
        characters = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
        kinds, where = np.unique(characters, return_inverse=True)
        known = {**self._ids, SPACE: -1}
        letters = np.array([known.get(chr(kind), -1) for kind in kinds], np.int64)[where]
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        word_at = np.repeat(np.arange(len(words)), lengths)
        can = (np.bincount(word_at[letters < 0], minlength=len(words)) == 0) & (lengths > 0)
        return Spelled(np.flatnonzero(can), letters[can[word_at]], lengths[can])
