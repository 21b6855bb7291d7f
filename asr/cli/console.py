"""stderr, for what is no result."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def say(line: str) -> None:
    """A line of information."""
    print(line, file=sys.stderr)


def complain(sentence: str) -> None:
    """What failed, as one sentence that begins with the command's name, as compilers' do."""
    print(f"asr: {sentence}", file=sys.stderr)


def progress_bar() -> "Progress":
    """A bar with the time that is left, gone when all is done."""
    import rich.progress
    from rich.console import Console

    columns = rich.progress.Progress.get_default_columns()
    return rich.progress.Progress(*columns, console=Console(stderr=True), transient=True)
