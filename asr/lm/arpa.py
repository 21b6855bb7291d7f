"""ARPA files, plain or gzipped, to and from arrays; whatever is wrong with one is a sentence with its line.

    \\data\\
    ngram 1=4
    ngram 2=2

    \\1-grams:
    -0.6    <unk>
    -99     <s>     -0.3
    \\2-grams:
    -0.2    <s> yes
    \\end\\

Columns are log10 probability, the words, and log10 backoff (left out where it is 0).
"""

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from asr.errors import LanguageModelError
from asr.whole_files import written_beside
from asr.wording import counted

MAX_ORDER = 6
_BLOCK = 1 << 16
"""Lines taken at a time: enough to drown the cost of a call, few enough to stay small in memory."""
_LONGEST_LINE = 1 << 20  # bytes: a gigabyte of packed zeros must not come as one
_LARGE = 1e30
"""No log-probability that was computed; beyond it lie infinity and what float32 turns into it."""

KENLM_MAGIC = b"mmap lm http://kheafield.com/code"
_HEADER_LINES = 1000
"""Some toolkits write a page of remarks before the line \\data\\; more than this is another kind of file."""
_COUNT = re.compile(rb"ngram\s+(\d{1,3})\s*=\s*(\d{1,18})")


@dataclass(frozen=True)
class Level:
    """The n-grams of one order; natural words, base 10 numbers, as the file has them."""

    words: NDArray[np.int32]
    """(num_ngrams, order) indices into the table's words."""
    log_prob: NDArray[np.float32]
    """(num_ngrams,) log10."""
    backoff: NDArray[np.float32]
    """(num_ngrams,) log10; 0 where the file has none."""


@dataclass(frozen=True)
class Table:
    """What an ARPA file says: the words in the order of the unigrams, and one level an order."""

    words: Sequence[str]
    levels: Sequence[Level]


def read(path: str | os.PathLike[str]) -> Table:
    """The table of an ARPA file; gzip is recognised by its first bytes, not by its name.

    Raises:
        LanguageModelError: it cannot be read, is truncated, miscounted or no ARPA file.
    """
    try:
        with open(path, "rb") as file:
            # Not by the name; and the gzip reader leaves it to us to close the file.
            gzipped = file.peek(2)[:2] == b"\x1f\x8b"
            lines = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if gzipped else file
            return _Reader(os.fspath(path), lines).table()
    except (OSError, EOFError, zlib.error) as error:
        raise LanguageModelError(
            f"{os.fspath(path)}: the language model cannot be read ({error}); check the path, or copy it again."
        ) from None


def write(path: str | os.PathLike[str], table: Table) -> None:
    """Write an ARPA file beside, then rename; gzipped where the name ends in .gz.

    Raises:
        LanguageModelError: it cannot be written there.
    """
    gzipped = os.fspath(path).endswith(".gz")

    def fill(file: IO[bytes]) -> None:
        if gzipped:
            # No name and no time: the same model is the same file. Level 6 takes a third of the time of 9 for 4 % more.
            with gzip.GzipFile("", "wb", 6, fileobj=file, mtime=0) as zipped:
                zipped.writelines(_lines(table))
        else:
            file.writelines(_lines(table))

    replace(path, fill)


def replace(path: str | os.PathLike[str], fill: Callable[[IO[bytes]], None]) -> None:
    """Let ``fill`` write a file that takes the name ``path`` only when it is whole.

    Raises:
        LanguageModelError: it cannot be written there; what was there before is still there.
    """
    target = Path(os.path.abspath(path))
    try:
        with written_beside(target) as partial, open(partial, "wb") as file:
            fill(file)
    except OSError as error:
        raise LanguageModelError(
            f"{target}: the language model cannot be written ({error}); make room, or choose another folder."
        ) from None


class _Columns(NamedTuple):
    """The fields of a ``Level``, for some lines."""

    words: NDArray[np.int32]
    log_prob: NDArray[np.float32]
    backoff: NDArray[np.float32]


class _Reader:
    """One pass over the lines, which are counted for the messages."""

    def __init__(self, path: str, file: IO[bytes]):
        self.path = path
        self.lines: Iterator[bytes] = iter(lambda: file.readline(_LONGEST_LINE), b"")
        self.number = 0
        self.ids: dict[bytes, int] = {}

    def table(self) -> Table:
        self._find_data()
        counts, line = self._counts()
        levels = []
        for order, count in enumerate(counts, 1):
            self._expect(
                line, b"\\%d-grams:" % order, f"before the {order}-grams, of which \\data\\ has {count}"
            )
            levels.append(self._level(order, count))
            line = self._next_line()
        self._expect(line, b"\\end\\", f"after the {len(counts)}-grams, of which \\data\\ has {counts[-1]}")
        return Table(self._words(), levels)

    def _find_data(self) -> None:
        for line in islice(self.lines, _HEADER_LINES):
            self.number += 1
            if self.number == 1 and line.startswith(KENLM_MAGIC):
                self._fail(
                    "is a KenLM binary, which only KenLM reads; give the ARPA file that it was made from"
                )
            if line.removeprefix(b"\xef\xbb\xbf").strip() == b"\\data\\":
                return
        self.number = min(self.number, 1)
        self._fail(
            "is no ARPA file, for it has no line \\data\\; give the .arpa or .arpa.gz of a language model"
        )

    def _counts(self) -> tuple[list[int], bytes]:
        """The number of n-grams of each order, and the line after them."""
        counts: list[int] = []
        line = self._next_line()
        while match := _COUNT.fullmatch(line):
            if int(match[1]) != len(counts) + 1:
                self._fail(f"counts {match[1].decode()}-grams where {len(counts) + 1}-grams are due")
            counts.append(int(match[2]))
            line = self._next_line()
        if not counts:
            self._fail(f"has {_quote(line)} where 'ngram 1=...' is due; write the language model again")
        if len(counts) > MAX_ORDER:
            self._fail(f"has order {len(counts)}, and {MAX_ORDER} is the highest; build it with a lower one")
        return counts, line

    def _level(self, order: int, count: int) -> Level:
        blocks = [_Columns(np.empty((0, order), np.int32), np.empty(0, np.float32), np.empty(0, np.float32))]
        done = 0
        while done < count:
            lines = list(islice(self.lines, min(_BLOCK, count - done)))
            if not lines:
                self._fail(f"ends after {done} of {count} {order}-grams; copy it again, whole")
            blocks.append(self._columns(order, lines, count - done))
            done += len(lines)
            self.number += len(lines)
        return Level(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))

    def _columns(self, order: int, lines: list[bytes], due: int) -> "_Columns":
        rows = [line.split() for line in lines]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        for index in np.flatnonzero((lengths < order + 1) | (lengths > order + 2))[:1].tolist():
            self._fail_row(rows[index], order, index, due - index)
        for index in np.flatnonzero(lengths == order + 1).tolist():
            rows[index].append(b"0")
        log_prob, *words, backoff = zip(*rows, strict=True)
        if order == 1:
            self._learn(words[0])
        return _Columns(
            np.stack([self._indices(column, order) for column in words], axis=1),
            self._numbers(log_prob, "log-probability", largest=0.0),
            self._numbers(backoff, "backoff", largest=np.inf),
        )

    def _learn(self, words: Sequence[bytes]) -> None:
        before = len(self.ids)
        for index, word in enumerate(words):
            if self.ids.setdefault(word, before + index) != before + index:
                self._fail(f"has the word {_quote(word)} twice; write the language model again", index)

    def _indices(self, words: Sequence[bytes], order: int) -> NDArray[np.int32]:
        try:
            return np.fromiter(map(self.ids.__getitem__, words), np.int32, len(words))
        except KeyError as error:
            word = error.args[0]
            self._fail(
                f"has {_quote(word)} in a {order}-gram but not among the 1-grams; write the language model again",
                words.index(word),
            )

    def _numbers(self, fields: Sequence[bytes], name: str, largest: float) -> NDArray[np.float32]:
        """Numbers that are finite and not above ``largest``; parsed together, and one by one to name a bad one."""
        try:
            values = np.fromiter(map(float, fields), np.float64, len(fields))
        except ValueError:
            values = np.array([_number(field) for field in fields])
        for index in np.flatnonzero(~((np.abs(values) < _LARGE) & (values <= largest)))[:1].tolist():
            what = f"has {_quote(fields[index])} where a {name} is due"
            self._fail(f"{what}; write the language model again", index)
        return values.astype(np.float32)

    def _fail_row(self, row: list[bytes], order: int, index: int, due: int) -> NoReturn:
        if not row or row[0].startswith(b"\\"):
            self._fail(f"has {due} {order}-grams fewer than \\data\\ says; copy it again, whole", index)
        self._fail(
            f"has {counted(len(row), 'field')} where a {order}-gram has {order + 1} or {order + 2}; "
            "write the language model again",
            index,
        )

    def _next_line(self) -> bytes:
        """The next line that is not empty, stripped; nothing at the end of the file."""
        for line in self.lines:
            self.number += 1
            if line := line.strip():
                return line
        return b""

    def _expect(self, line: bytes, due: bytes, place: str) -> None:
        if line != due:
            found = _quote(line) if line else "the end of the file"
            self._fail(f"has {found} where {due.decode()} is due {place}; copy it again, whole", -1)

    def _words(self) -> list[str]:
        try:
            return [word.decode() for word in self.ids]
        except UnicodeDecodeError as error:
            self._fail(f"has the word {_quote(error.object)}, which is not UTF-8; convert the file to UTF-8")

    def _fail(self, reason: str, index: int | None = None) -> NoReturn:
        """Blame the line ``index`` lines after those counted, or the last one counted."""
        number = self.number if index is None else self.number + 1 + index
        raise LanguageModelError(f"{self.path}: line {max(number, 1)}: the language model {reason}.")


def _number(field: bytes) -> float:
    try:
        return float(field)
    except ValueError:
        return np.nan


def _quote(field: bytes) -> str:
    return repr(field[:40].decode(errors="replace"))


def _lines(table: Table) -> Iterator[bytes]:
    yield b"\\data\\\n"
    for order, level in enumerate(table.levels, 1):
        yield b"ngram %d=%d\n" % (order, len(level.log_prob))
    highest = len(table.levels)
    for order, level in enumerate(table.levels, 1):
        yield b"\n\\%d-grams:\n" % order
        for start in range(0, len(level.log_prob), _BLOCK):
            rows = slice(start, start + _BLOCK)
            yield _text(table.words, level, rows, with_backoff=order < highest).encode()
    yield b"\n\\end\\\n"


def _text(words: Sequence[str], level: Level, rows: slice, with_backoff: bool) -> str:
    """The lines of some n-grams; str of a float32 has the fewest digits that give it back."""
    columns = [[words[index] for index in column] for column in level.words[rows].T.tolist()]
    fields = [map(str, level.log_prob[rows]), map(" ".join, zip(*columns, strict=True))]
    if with_backoff:
        fields.append(map(str, level.backoff[rows]))
    return "".join([f"{line}\n" for line in map("\t".join, zip(*fields, strict=True))])
