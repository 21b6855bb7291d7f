"""The texts of ``asr lm``: lines of files, packed files and stdin to sentences."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Annotated, cast

import typer

Texts = Annotated[
    list[str], typer.Argument(help="Sentences, one a line; plain or .gz, - is stdin.", metavar="TEXT...")
]
Raw = Annotated[
    bool, typer.Option("--raw", help="Take the words as they stand: no lower case, punctuation stays.")
]


def read_sentences(texts: Sequence[str], raw: bool, characters: bool) -> Iterator[list[str]]:
    """The words of each line of each text, or its characters.

    Raises:
        LanguageModelError: a text cannot be read, or is not UTF-8.
    """
    from asr.lm.words import to_characters
    from asr.text import normalize

    for line in _lines(texts):
        # Bytes split at ASCII blanks only, as ARPA readers do; a no-break space belongs to its word.
        words = [word.decode() for word in line.encode().split()] if raw else normalize(line).split()
        if words or raw:
            yield to_characters(words) if characters else words


def _lines(texts: Sequence[str]) -> Iterator[str]:
    import zlib

    from asr.errors import LanguageModelError

    for text in texts:
        number = 1
        try:
            with _open(text) as file:
                for line in file:
                    yield line.decode().removeprefix("\ufeff") if number == 1 else line.decode()
                    number += 1
        except UnicodeDecodeError:
            raise LanguageModelError(f"{text}: line {number} is not UTF-8; convert the text first.") from None
        except (OSError, EOFError, zlib.error) as error:
            raise LanguageModelError(f"{text}: the text cannot be read ({error}); check the path.") from None


def _open(text: str) -> AbstractContextManager[IO[bytes]]:
    import gzip

    if text == "-":
        return nullcontext(sys.stdin.buffer)
    return cast(IO[bytes], gzip.open(text)) if text.endswith(".gz") else open(text, "rb")
