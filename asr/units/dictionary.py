"""Pronunciation dictionaries in the format of CMU's: a word and its phones a line, further ways as ``WORD(2)``."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from asr.errors import VocabularyError
from asr.text import TextSettings, normalize

Ways = Sequence[Sequence[str]]
"""The phones of each way to say a word, the usual way first."""
_VARIANT = re.compile(r"(.+)\((\d+)\)")
_COMMENT = ";;;"


def read_dictionary(path: str | os.PathLike[str], settings: TextSettings = TextSettings()) -> dict[str, Ways]:
    """The words of a dictionary as the model writes them, each with its pronunciations.

    What is no single word once it is normalised (``!EXCLAMATION-POINT``, ``<s>``) is left out.

    Raises:
        VocabularyError: it cannot be read, holds nothing, or a word has no phones.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise VocabularyError(f"{path}: the dictionary cannot be read as UTF-8 text ({error}).") from None
    return parse_dictionary(text, str(path), settings)


def parse_dictionary(text: str, name: str, settings: TextSettings | None) -> dict[str, Ways]:
    """The same of a text that ``name`` holds; without settings words are as they stand.

    Raises:
        VocabularyError: it holds nothing, or a word has no phones.
    """
    ways: dict[str, list[tuple[str, ...]]] = {}
    for number, word, phones in _entries(text):
        if not phones:
            raise VocabularyError(
                f"{name}:{number}: {word!r} has no phones; write them behind it, or remove the line."
            )
        written = word if settings is None else _written(word, settings)
        if written and phones not in ways.setdefault(written, []):
            ways[written].append(phones)
    if not ways:
        raise VocabularyError(f"{name}: holds no word with its phones; give a dictionary in CMU's format.")
    return dict(ways)


def format_dictionary(words: Mapping[str, Ways]) -> str:
    """What ``parse_dictionary`` reads."""
    lines = [
        f"{word if number == 1 else f'{word}({number})'} {' '.join(phones)}\n"
        for word, ways in words.items()
        for number, phones in enumerate(ways, 1)
    ]
    return "".join(lines)


def _entries(text: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for number, line in enumerate(text.split("\n"), 1):
        word, *phones = line.split(" #")[0].split() or [_COMMENT]
        if not word.startswith(_COMMENT):
            variant = _VARIANT.fullmatch(word)
            yield number, variant[1] if variant else word, tuple(phones)


def _written(word: str, settings: TextSettings) -> str:
    """Empty for what is no word."""
    written = normalize(word, settings)
    return "" if word.startswith("<") or " " in written else written
