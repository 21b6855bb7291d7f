"""stderr, for what is no result."""

import logging
import multiprocessing
import sys
from typing import TYPE_CHECKING

from asr.wording import printable

if TYPE_CHECKING:
    from rich.progress import Progress


def say(line: str) -> None:
    """A line of information."""
    print(line, file=sys.stderr)


def complain(sentence: str) -> None:
    """What failed, as one sentence that begins with the command's name, as compilers' do."""
    print(f"asr: {printable(sentence)}", file=sys.stderr)


class Formatter(logging.Formatter):
    """Warnings of ours as sentences of one line each, whatever file they name."""

    def format(self, record: logging.LogRecord) -> str:
        """What is printed."""
        text = super().format(record)
        return printable(text) if record.name.startswith("asr.") else text


class Once(logging.Filter):
    """Of warnings that many files get, lets one through and counts the files; their ``many`` says how to say so.

    Loader processes of a training say nothing, since their counts could not be added up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, set[object]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to print a record; the first argument of one that many files get is the file."""
        many = getattr(record, "many", None)
        if many is None or not isinstance(record.args, tuple):
            return True
        first = many not in self.names and multiprocessing.parent_process() is None
        self.names.setdefault(many, set()).add(record.args[0])
        return first

    def conclude(self) -> None:
        """Say how many files it were."""
        for many, names in self.names.items():
            if len(names) > 1 and not sys.stderr.closed:
                complain(f"{len(names)} {many}; the first is named above.")


def progress_bar(*more: str, disable: bool = False) -> "Progress":
    """A bar with the time that is left, gone when all is done; ``more`` are formats of columns, as rich has them."""
    import rich.progress
    from rich.console import Console

    columns = rich.progress.Progress.get_default_columns()
    return rich.progress.Progress(
        *columns, *more, console=Console(stderr=True), transient=True, disable=disable
    )
