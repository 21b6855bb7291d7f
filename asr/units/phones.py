"""Phones: a model hears sounds, and a dictionary says of which words they are.

Between words there is a symbol of its own, so that the beam knows where one ends. Training takes the usual way to say a
word, the first in the dictionary; the beam takes any, and of words that sound alike the one that the language model
prefers there. Greedy decoding knows no words: it writes phones, and its error rate is theirs (PER).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from asr.errors import VocabularyError
from asr.onnx_file import DICTIONARY, read_text
from asr.text import BLANK, TextSettings, Vocabulary
from asr.types import Symbols
from asr.units.dictionary import Ways, format_dictionary, parse_dictionary, read_dictionary


class Phones(Vocabulary):
    """The phones of a dictionary, and between words the space; a phone is written as a word of its own."""

    rate = "PER"

    def __init__(self, symbols: Sequence[str], words: Mapping[str, Ways], source: str):
        super().__init__(symbols)
        self.words = words
        self.source = source
        """The file of the dictionary, for messages."""
        missing = {phone for ways in words.values() for way in ways for phone in way} - {
            s[1:] for s in symbols
        }
        if missing or " " not in symbols:
            raise VocabularyError(
                f"{source}: its phone {min(missing, default='<space>')} is no symbol of the model."
            )
        ids = {symbol[1:]: label for symbol, label in self._ids.items()}
        pronunciations = {
            word: [[ids[phone] for phone in way] for way in ways] for word, ways in words.items()
        }
        self.symbols = Symbols(self.symbols, pronunciations)

    @staticmethod
    def _check(symbols: Sequence[str]) -> None:
        wrong = [
            symbol for symbol in symbols if symbol != " " and (symbol[:1] != " " or not symbol[1:].strip())
        ]
        if wrong:
            raise VocabularyError(f"The vocabulary's {wrong[0]!r} is no phone.")

    @classmethod
    def build(cls, texts: Iterable[str], settings: TextSettings = TextSettings()) -> "Phones":
        """Every phone of ``settings.dictionary``, whatever the texts; that they are in it is checked as they are read.

        Raises:
            VocabularyError: the dictionary cannot be read.
        """
        assert settings.dictionary is not None
        words = read_dictionary(settings.dictionary, settings)
        phones = sorted({phone for ways in words.values() for way in ways for phone in way})
        return cls([" ", *(f" {phone}" for phone in phones)], words, settings.dictionary)

    def save(self, path: str | os.PathLike[str]) -> None:
        """The symbols, and beside them the dictionary."""
        super().save(path)
        Path(path).with_name(DICTIONARY).write_text(format_dictionary(self.words), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Phones":
        """Read what ``save`` wrote.

        Raises:
            VocabularyError: a file is missing or damaged, or does not fit the other.
        """
        place = Path(path).with_name(DICTIONARY)
        try:
            text = read_text(place)
        except (OSError, ValueError) as error:
            raise VocabularyError(f"{place}: the dictionary cannot be read ({error}).") from None
        return cls(cls._read(Path(path)), parse_dictionary(text, str(place), None), str(place))

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and isinstance(other, Phones) and self.words == other.words

    __hash__ = None

    def encode_written(self, text: str) -> list[int]:
        """Symbol ids of phones; where one word ended and the next began is not written."""
        return [self._ids[f" {phone}"] for phone in text.split()]

    def unknown_in(self, text: str) -> list[str]:
        """The words of a normalised text that the dictionary lacks."""
        return [word for word in text.split() if word not in self.words]

    def _lacking(self, text: str, unknown: Sequence[str]) -> str:
        return (
            f"the text {text!r} has {', '.join(map(repr, unknown[:5]))}, which {self.source} lacks; "
            "add how it is said, or set text.unknown to skip."
        )

    def _labels(self, text: str) -> list[int]:
        return [label for labels in self._spell(text.split()) for label in labels]

    def _known(self, text: str, settings: TextSettings) -> str:
        return " ".join(word for word in text.split() if word in self.words)

    def _spell(self, words: Sequence[str]) -> list[list[int]]:
        assert self.symbols.pronunciations is not None
        spelled = [list(self.symbols.pronunciations[word][0]) for word in words]
        return [[*labels, self._ids[" "]] for labels in spelled[:-1]] + spelled[-1:]

    def spoken(self, text: str) -> str:
        """The phones of a normalised text, and words that have none as they are."""
        return " ".join(
            " ".join(self.words[word][0]) if word in self.words else word for word in text.split()
        )

    @staticmethod
    def _line(symbol: str) -> str:
        return Vocabulary._line(symbol) if symbol in (" ", BLANK) else symbol[1:]

    @staticmethod
    def _symbol(line: str) -> str:
        symbol = Vocabulary._symbol(line)
        return symbol if symbol == " " else f" {symbol}"
