"""Sentences of books in plain text, one a line, for the language model.

    python recipes/english/books.py austen.txt moby-dick/*.txt -o books.txt

Lines are joined and divided into sentences anew. One that holds a digit is left out, for readers say numbers in many
ways; one that stands twice is written once.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from asr.recipe import attempt, read_lines
from asr.whole_files import write_text

_END = re.compile(r"(?<=[.!?;])[\"'”’)]*\s+")
_HEADING = re.compile(r"(?i)^\s*(chapter|volume|letter|book) [ivxlc\d]+\b.*$")
_JOINED = re.compile(r"--|[—_-]")


def sentences(lines: Iterable[str]) -> Iterator[str]:
    """Those of one book, headings of chapters left out."""
    text = " ".join(line for line in lines if not _HEADING.match(line))
    for sentence in _END.split(_JOINED.sub(" ", text).replace("’", "'")):
        words = sentence.split()
        if len(words) > 1 and not re.search(r"\d", sentence):
            yield " ".join(words)


def main() -> int:
    """Print how many sentences there are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("books", type=Path, nargs="+", help="UTF-8")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a sentence a line")
    options = parser.parse_args()
    return attempt("books", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Write and print."""
    found = dict.fromkeys(sentence for book in options.books for sentence in sentences(read_lines(book)))
    write_text(options.output, "".join(f"{sentence}\n" for sentence in found))
    print(f"{options.output}: {len(found)} sentences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
