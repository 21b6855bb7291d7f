"""The one way that this package compiles: machine code kept on disk where there is a disk to keep it on.

Numba keeps compiled code beside the file it came from, else in the user's cache, and trusts it as long as that
one file is unchanged: after a change to a compiled function, touch the files of the compiled functions that call it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numba

_MADE: list[Any] = []


def compiled(function: Callable[..., Any], options: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """The function as numba compiles it at its first call, without the GIL; cached unless nothing can be written.

    In a read-only installation of a user without a home, each process compiles anew, which takes seconds.
    """
    try:
        made = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # no folder to cache in
        made = numba.njit(nogil=True, **options)(function)
    _MADE.append(made)
    return made


def num_compiled() -> int:
    """How many times this process has compiled what no disk had for it."""
    return sum(sum(one.stats.cache_misses.values()) for one in _MADE)


def cache_folder() -> str | None:
    """Where machine code of this installation is kept; None where no folder can be written."""
    folder: str | None = compiled(_nothing).stats.cache_path
    return folder


def _nothing() -> None:
    """Stands for a function to compile; never called."""


def compiled_bare(function: Callable[..., Any]) -> Any:
    """As ``compiled``, for functions that ask for no memory: without numba's counting of references.

    Numba counts for every array of every call, atomically: a third of the beam search's time went there.
    """
    return compiled(function, {"_nrt": False})
