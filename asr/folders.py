"""What lies in folders."""

import os
from collections import deque
from collections.abc import Iterator, Set
from pathlib import Path


def files_in(folder: str | os.PathLike[str], suffixes: Set[str], *, recursive: bool = True) -> Iterator[Path]:
    """Every file in a folder, and below it, with such a suffix in whatever case; what is hidden is left alone.

    Links to folders are followed, after all else: what several paths lead to comes once, without a link if it can.
    """
    waiting, seen = deque([os.fspath(folder)]), set[tuple[int, int]]()
    while waiting:
        for root, folders, names in os.walk(waiting.popleft()):
            if (identity := _identity(root)) in seen:
                folders.clear()
                continue
            seen.add(identity)
            folders[:] = sorted(filter(_is_shown, folders)) if recursive else []
            waiting.extend(path for name in folders if os.path.islink(path := os.path.join(root, name)))
            yield from _with_suffix(root, filter(_is_shown, names), suffixes)


def _identity(folder: str) -> tuple[int, int]:
    """The same by whatever path."""
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _is_shown(name: str) -> bool:
    return not name.startswith(".")


def _with_suffix(folder: str, names: Iterator[str], suffixes: Set[str]) -> Iterator[Path]:
    for name in names:
        # Only of what ends rightly a path is made: that takes longest.
        if os.path.splitext(name)[1].lower() in suffixes and (path := Path(folder, name)).is_file():
            yield path
