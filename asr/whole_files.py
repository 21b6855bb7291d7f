"""Files that are whole or not there."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What an ``OSError`` says of a full disk."""


@contextmanager
def written_beside(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` when the block ends well.

    ``durable`` waits for the disk: or a power cut could leave the new name with nothing behind it. What fails leaves
    what was there before, and nothing else.

    Raises:
        OSError: it cannot be written there.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        if durable:
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Beside, then renamed; its folder is made.

    Raises:
        OSError: as ``written_beside``.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as partial:
        partial.write_text(text, encoding="utf-8")
