"""Text in, symbol ids out, and back: Unicode normalisation and the vocabulary of a model, here of characters.

Characters are Unicode code points after NFC, so any script works; a combining mark that has no composed form
(the tone of ``ɛ́``) is a symbol of its own. Marks are letters' parts, never punctuation.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from asr.errors import ConfigError, VocabularyError
from asr.onnx_file import read_text
from asr.types import Symbols

BLANK = "<blank>"
SPACE = "<space>"
UNKNOWN = "�"


@dataclass(frozen=True)
class TextSettings:
    """How transcripts are written before they become symbols; stored with the model."""

    case: str = "lower"
    """lower, upper or keep."""
    punctuation: str = "remove"
    """remove: every punctuation character but those in keep_characters becomes a space; or keep."""
    keep_characters: str = "'"
    """Punctuation that belongs to words, as the apostrophe of "don't" or a click letter."""
    unknown: str = "error"
    """What a character outside the vocabulary does (of phones and labels, a word): error, skip (leave it out) or
    replace (by U+FFFD)."""
    units: str = "characters"
    """What the model's outputs stand for: characters, subwords, phones, or of a classifier labels."""
    num_subwords: int = 500
    """Of subwords: how many, the blank among them."""
    dictionary: str | None = None
    """Of phones: a pronunciation dictionary in CMU's format; the model keeps a copy."""

    def __post_init__(self) -> None:
        for key, allowed in _ALLOWED.items():
            if getattr(self, key) not in allowed:
                choices = ", ".join(allowed)
                raise ConfigError(f"text.{key}={getattr(self, key)!r} is not one of {choices}.")
        if self.num_subwords < 2:
            raise ConfigError(f"text.num_subwords={self.num_subwords} must be 2 at least.")
        if self.units == "phones" and not self.dictionary:
            raise ConfigError(
                "text.units=phones needs a dictionary; give text.dictionary=FILE, in CMU's format."
            )
        if self.unknown == "replace" and self.units in ("phones", "labels"):
            raise ConfigError(f"text.unknown=replace is not for text.units={self.units}; take error or skip.")


_ALLOWED = {
    "case": ("lower", "upper", "keep"),
    "punctuation": ("remove", "keep"),
    "unknown": ("error", "skip", "replace"),
    "units": ("characters", "subwords", "phones", "labels"),
}


def normalize(text: str, settings: TextSettings = TextSettings()) -> str:
    """The text as the model writes it: NFC, one case, single spaces."""
    text = unicodedata.normalize("NFC", text)
    if "'" in settings.keep_characters:
        # Word processors write the apostrophe of "don't" as a closing quotation mark.
        text = text.replace("’", "'")
    if settings.case != "keep":
        # Lower-casing can decompose (İ -> i + dot), hence the second NFC.
        text = unicodedata.normalize("NFC", text.lower() if settings.case == "lower" else text.upper())
    if settings.punctuation == "remove":
        text = "".join(" " if _is_punctuation(c) and c not in settings.keep_characters else c for c in text)
    return " ".join(text.split())


def _is_punctuation(character: str) -> bool:
    """Punctuation and symbols; modifier symbols (Sk) stay, for orthographies use them as letters."""
    category = unicodedata.category(character)
    return category[0] == "P" or category in ("Sm", "Sc", "So")


def frames_needed(labels: Sequence[object]) -> int:
    """The fewest frames in which CTC can write labels. Example: "see" -> 4, a blank between the two e."""
    return len(labels) + sum(left == right for left, right in pairwise(labels))


class Vocabulary:
    """The symbols of a model in the order of its outputs; id 0 is the CTC blank. Here they are characters.

    ``asr.units`` has the others: pieces of words, phones, labels.
    """

    rate = "WER"
    """Of which error rate greedy decoding is scored: of words, or where it writes none, of phones (PER)."""

    def __init__(self, symbols: Sequence[str]):
        """Take the symbols after the blank.

        Raises:
            VocabularyError: a symbol stands twice, or is none of this kind.
        """
        repeated = [symbol for symbol, count in Counter(symbols).items() if count > 1]
        if repeated:
            raise VocabularyError(f"The vocabulary has {repeated[0]!r} twice.")
        self._check(symbols)
        self.symbols = Symbols((BLANK, *symbols))
        self._ids = {symbol: index for index, symbol in enumerate(self.symbols)}

    @staticmethod
    def _check(symbols: Sequence[str]) -> None:
        wrong = [symbol for symbol in symbols if len(symbol) != 1]
        if wrong:
            raise VocabularyError(f"The vocabulary's {wrong[0]!r} is not one character.")

    def __len__(self) -> int:
        return len(self.symbols)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and type(other) is type(self) and self.symbols == other.symbols

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._ids

    @classmethod
    def build(cls, texts: Iterable[str], settings: TextSettings = TextSettings()) -> "Vocabulary":
        """Every character of the normalised texts, sorted; U+FFFD too where unknowns are replaced."""
        characters = {character for text in texts for character in normalize(text, settings)}
        if settings.unknown == "replace":
            characters.add(UNKNOWN)
        if not characters - {" ", UNKNOWN}:
            raise VocabularyError("The training texts hold no character to build a vocabulary from.")
        return cls(sorted(characters))

    def unknown_in(self, text: str) -> list[str]:
        """Each character of a normalised text that has no symbol (of other kinds, each word), as often as it occurs."""
        return [character for character in text if character not in self._ids]

    def unknown_characters(self, text: str) -> list[str]:
        """The same, each once, in order of appearance."""
        return list(dict.fromkeys(self.unknown_in(text)))

    def encode(self, text: str, settings: TextSettings = TextSettings()) -> list[int]:
        """Symbol ids of a text, after normalisation.

        Raises:
            VocabularyError: a part of it has no symbol and ``settings.unknown`` is ``error``.
        """
        text = normalize(text, settings)
        unknown = self.unknown_characters(text)
        if unknown and settings.unknown == "error":
            raise VocabularyError(self._lacking(text, unknown))
        return self._labels(self._known(text, settings) if unknown else text)

    def encode_written(self, text: str) -> list[int]:
        """Symbol ids of a text that was written with these symbols."""
        return self._labels(text)

    def spell(self, tokens: Sequence[str], settings: TextSettings = TextSettings()) -> list[list[int]]:
        """The ids of each part of a text, of all that has symbols; side by side they are those of the whole."""
        words = [self._known(normalize(token, settings), settings).split() for token in tokens]
        spelled = iter(self._spell([word for part in words for word in part]))
        return [[label for _ in part for label in next(spelled)] for part in words]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of symbol ids without blanks; the inverse of ``encode`` on what is known."""
        return " ".join("".join(self.symbols[index] for index in ids if index != 0).split())

    def spoken(self, text: str) -> str:
        """A normalised text as greedy decoding would have to write it."""
        return text

    def save(self, path: str | os.PathLike[str]) -> None:
        """One symbol a line, in order; the line number is the id."""
        lines = [self._line(symbol) for symbol in self.symbols]
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Read what ``save`` wrote.

        Raises:
            VocabularyError: the file is missing or does not begin with the blank.
        """
        return cls(cls._read(Path(path)))

    @classmethod
    def _read(cls, path: Path) -> list[str]:
        try:
            lines = read_text(path).rstrip("\n").split("\n")  # not splitlines: U+2028 may be a symbol
        except (OSError, ValueError) as error:
            raise VocabularyError(f"{path}: the vocabulary cannot be read ({error}).") from None
        if lines[0] != BLANK:
            raise VocabularyError(f"{path}: line 1 must be {BLANK}, not {lines[0]!r}.")
        return [cls._symbol(line) for line in lines[1:]]

    @staticmethod
    def _line(symbol: str) -> str:
        return SPACE if symbol == " " else symbol

    @staticmethod
    def _symbol(line: str) -> str:
        return " " if line == SPACE else line

    def _lacking(self, text: str, unknown: Sequence[str]) -> str:
        return _unknown_message(text, unknown)

    def _known(self, text: str, settings: TextSettings) -> str:
        if settings.unknown == "replace" and UNKNOWN in self._ids:
            return "".join(character if character in self._ids else UNKNOWN for character in text)
        return "".join(character for character in text if character in self._ids or character == " ")

    def _labels(self, text: str) -> list[int]:
        return [self._ids[character] for character in text if character in self._ids]

    def _spell(self, words: Sequence[str]) -> list[list[int]]:
        """Of words that are known, with what stands between them."""
        between = [self._ids[" "]] if " " in self._ids else []
        spelled = [[self._ids[character] for character in word] for word in words]
        return [[*labels, *between] for labels in spelled[:-1]] + spelled[-1:]


def _unknown_message(text: str, unknown: Sequence[str]) -> str:
    names = ", ".join(f"{c!r} (U+{ord(c):04X} {unicodedata.name(c, 'unnamed')})" for c in unknown[:5])
    return (
        f"the text {text!r} has {names}, unknown to the vocabulary; "
        "correct the text, or set text.unknown to skip or replace."
    )
