"""Text in, symbol ids out, and back: Unicode normalisation and the character vocabulary of a model.

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
    """What a character outside the vocabulary does: error, skip (leave it out) or replace (by U+FFFD)."""

    def __post_init__(self) -> None:
        for key, allowed in _ALLOWED.items():
            if getattr(self, key) not in allowed:
                choices = ", ".join(allowed)
                raise ConfigError(f"text.{key}={getattr(self, key)!r} is not one of {choices}.")


_ALLOWED = {
    "case": ("lower", "upper", "keep"),
    "punctuation": ("remove", "keep"),
    "unknown": ("error", "skip", "replace"),
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
    """The symbols of a model in the order of its outputs; id 0 is the CTC blank."""

    def __init__(self, symbols: Sequence[str]):
        """Take the symbols after the blank, each one character.

        Raises:
            VocabularyError: a symbol stands twice, or is not one character.
        """
        repeated = [symbol for symbol, count in Counter(symbols).items() if count > 1]
        if repeated:
            raise VocabularyError(f"The vocabulary has {repeated[0]!r} twice.")
        wrong = [symbol for symbol in symbols if len(symbol) != 1]
        if wrong:
            raise VocabularyError(f"The vocabulary's {wrong[0]!r} is not one character.")
        self.symbols = (BLANK, *symbols)
        self._ids = {symbol: index for index, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.symbols == other.symbols

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, character: str) -> bool:
        return character in self._ids

    @classmethod
    def build(cls, texts: Iterable[str], settings: TextSettings = TextSettings()) -> "Vocabulary":
        """Every character of the normalised texts, sorted; U+FFFD too where unknowns are replaced."""
        characters = {character for text in texts for character in normalize(text, settings)}
        if settings.unknown == "replace":
            characters.add(UNKNOWN)
        if not characters - {" ", UNKNOWN}:
            raise VocabularyError("The training texts hold no character to build a vocabulary from.")
        return cls(sorted(characters))

    def unknown_characters(self, text: str) -> list[str]:
        """The characters of a normalised text that have no symbol, each once, in order of appearance."""
        return list(dict.fromkeys(character for character in text if character not in self._ids))

    def encode(self, text: str, settings: TextSettings = TextSettings()) -> list[int]:
        """Symbol ids of a text, after normalisation.

        Raises:
            VocabularyError: a character has no symbol and ``settings.unknown`` is ``error``.
        """
        text = normalize(text, settings)
        unknown = self.unknown_characters(text)
        if unknown and settings.unknown == "error":
            raise VocabularyError(_unknown_message(text, unknown))
        if settings.unknown == "replace" and UNKNOWN in self._ids:
            return [self._ids.get(character, self._ids[UNKNOWN]) for character in text]
        return [self._ids[character] for character in text if character in self._ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of symbol ids without blanks; the inverse of ``encode`` on known characters."""
        return "".join(self.symbols[index] for index in ids if index != 0)

    def save(self, path: str | os.PathLike[str]) -> None:
        """One symbol a line, in order; the line number is the id."""
        lines = [SPACE if symbol == " " else symbol for symbol in self.symbols]
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Read what ``save`` wrote.

        Raises:
            VocabularyError: the file is missing or does not begin with the blank.
        """
        try:
            lines = read_text(Path(path)).rstrip("\n").split("\n")  # not splitlines: U+2028 may be a symbol
        except (OSError, ValueError) as error:
            raise VocabularyError(f"{path}: the vocabulary cannot be read ({error}).") from None
        if lines[0] != BLANK:
            raise VocabularyError(f"{path}: line 1 must be {BLANK}, not {lines[0]!r}.")
        return cls([" " if line == SPACE else line for line in lines[1:]])


def _unknown_message(text: str, unknown: Sequence[str]) -> str:
    names = ", ".join(f"{c!r} (U+{ord(c):04X} {unicodedata.name(c, 'unnamed')})" for c in unknown[:5])
    return (
        f"the text {text!r} has {names}, unknown to the vocabulary; "
        "correct the text, or set text.unknown to skip or replace."
    )
