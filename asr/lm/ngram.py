"""N-gram models as flat arrays: a hash table of (state, word), and states that are the n-gram contexts.

    p(word | state) = table[state, word] where the table has it, else backoff(state) * p(word | suffix(state))

A state is an n-gram that something follows in the model (or that has a backoff), so two histories that no
later word could tell apart are one state, as in KenLM (Heafield, "KenLM: faster and smaller language model
queries", 2011). The arrays are what a beam search hands to ``advance``, and what a packed file holds as it is.
"""

import json
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import LanguageModelError
from asr.lm import arpa
from asr.lm.linking import Linker, unknown_first
from asr.lm.lookup import advance
from asr.lm.words import BEGIN, END, NGramModel

__all__ = ["NGram", "advance"]

MAGIC = b"asr n-gram\0\0\0\0\0\1"
"""The first 16 bytes of a packed file; the last of them is the version of its layout."""
_ALIGN = 64
_ARRAYS = {
    "keys": np.uint64,
    "slots": np.int32,
    "log_prob": np.float32,
    "next_state": np.int32,
    "backoff": np.float32,
    "suffix": np.int32,
    "text": np.uint8,
}
"""What a packed file holds, in this order; ``text`` is the words in UTF-8, one a line."""


@dataclass(frozen=True, eq=False)
class NGram(NGramModel):
    """A word model of any order, read-only; natural logarithms throughout.

    N-grams are numbered order by order: the first ``len(words)`` are the single words by their ids, and these
    alone are not in the hash table. State 0 is the empty context.
    """

    words: Sequence[str]
    """Words by id; 0 is <unk>."""
    counts: tuple[int, ...]
    """The number of n-grams of each order."""
    keys: NDArray[np.uint64]
    """(table_size,) ``(state << 32 | word) + 1``, 0 where empty; the size is a power of two."""
    slots: NDArray[np.int32]
    """(table_size,) the n-gram of each key."""
    log_prob: NDArray[np.float32]
    """(num_ngrams,) of the last word after the others."""
    next_state: NDArray[np.int32]
    """(num_ngrams,) the longest state that ends each n-gram."""
    backoff: NDArray[np.float32]
    """(num_states,) log of the factor for words that never follow the state."""
    suffix: NDArray[np.int32]
    """(num_states,) the longest state that ends each state, -1 for state 0."""

    def __post_init__(self) -> None:
        for name in _ARRAYS.keys() - {"text"}:
            # Numba compiles once more for arrays that can be written; those of a packed file cannot.
            getattr(self, name).setflags(write=False)

    @cached_property
    def bos_state(self) -> int:
        """The state at the beginning of a sentence."""
        return int(self.next_state[self._ids[BEGIN]])

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What ``advance`` takes before the state and the word."""
        return self.keys, self.slots, self.log_prob, self.next_state, self.backoff, self.suffix

    def advance(self, state: int, word: int) -> tuple[float, int]:
        """The log-probability of a word after a state, and the state after it."""
        log_prob, after = advance(*self.arrays, state, word)
        return float(log_prob), int(after)

    def score(self, words: Sequence[str], *, bos: bool = True, eos: bool = True) -> list[float]:
        """The log-probability of each word after those before it, and of </s> at the end with ``eos``.

        Without ``bos`` the words may begin anywhere in a sentence.
        """
        arrays, state, scores = self.arrays, self.bos_state if bos else 0, []
        ids = [self.word_id(word) for word in words] + [self.eos] * eos
        for word in ids:
            log_prob, state = advance(*arrays, state, word)
            scores.append(float(log_prob))
        return scores

    @classmethod
    def from_table(cls, table: arpa.Table, name: str = "the language model") -> "NGram":
        """The model that an ARPA file describes; ``name`` begins the messages.

        An n-gram's suffix may be missing, as in tables that SRILM pruned; its context may not.

        Raises:
            LanguageModelError: an n-gram stands twice or lacks its context, or <s> or </s> is missing.
        """
        table = unknown_first(table, name)
        counts = tuple(len(level.log_prob) for level in table.levels)
        return cls(table.words, counts, **Linker(table, name).arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "NGram":
        """An ARPA file, plain or gzipped, or what ``save`` wrote, which is mapped rather than read.

        Raises:
            LanguageModelError: the file is missing, damaged or of another kind.
        """
        try:
            with open(path, "rb") as file:
                if file.read(len(MAGIC)).startswith(MAGIC.rstrip(b"\1")):
                    return _unpack(file, os.fspath(path))
        except OSError as error:
            raise LanguageModelError(
                f"{os.fspath(path)}: the language model cannot be read ({error}); check the path."
            ) from None
        return cls.from_table(arpa.read(path), os.fspath(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the packed file: the arrays as they are in memory, little-endian, aligned to 64 bytes.

        Raises:
            LanguageModelError: it cannot be written there.
        """
        text = np.frombuffer("\n".join(self.words).encode(), np.uint8)
        arrays = [*self.arrays, text]
        header = json.dumps({"counts": self.counts, "sizes": [len(array) for array in arrays]}).encode()

        def fill(file: IO[bytes]) -> None:
            file.write(MAGIC + struct.pack("<Q", len(header)) + header)
            for array in arrays:
                file.write(bytes(-file.tell() % _ALIGN))
                file.write(array.data)

        arpa.replace(path, fill)


def _unpack(file: IO[bytes], path: str) -> NGram:
    """The model of a packed file whose magic has been read; every index is checked, for numba checks none."""
    try:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if mapped[: len(MAGIC)] != MAGIC:
            raise ValueError("its layout is of another version of asr")
        start = file.tell() + 8
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(mapped[start : start + min(length, len(mapped))])
        arrays, end = {}, start + length
        for (name, dtype), size in zip(_ARRAYS.items(), header["sizes"], strict=True):
            offset = -(-end // _ALIGN) * _ALIGN
            arrays[name] = np.frombuffer(mapped, dtype, size, offset)
            end = offset + arrays[name].nbytes
        words = bytes(arrays.pop("text")).decode().split("\n")
        model = NGram(words, tuple(map(int, header["counts"])), **arrays)
        if end != len(mapped) or not _is_sound(model):
            raise ValueError("it is damaged: what it holds does not fit together")
        return model
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError, struct.error) as error:
        raise LanguageModelError(
            f"{path}: the packed language model cannot be used ({error}); pack it again from the ARPA file."
        ) from None


def _is_sound(model: NGram) -> bool:
    """Whether ``advance`` stays inside the arrays and comes to an end; 20 ms for 2 million n-grams."""
    size, num_ngrams, num_states = len(model.keys), len(model.log_prob), len(model.backoff)
    return (
        size == len(model.slots)
        and size & (size - 1) == 0
        and bool((model.keys == 0).any())
        and num_ngrams == len(model.next_state) == sum(model.counts)
        and len(model.words) == len(model._ids) == model.counts[0] <= num_ngrams
        and {BEGIN, END} <= model._ids.keys()
        and _within(model.slots, num_ngrams)
        and _within(model.next_state, num_states)
        and num_states == len(model.suffix) > 0
        and bool((model.suffix < np.arange(num_states)).all())
        and model.suffix[0] == -1
        and _within(model.suffix[1:], num_states)
        and bool(np.isfinite(model.log_prob).all() and np.isfinite(model.backoff).all())
    )


def _within(indices: NDArray[np.int32], size: int) -> bool:
    return not len(indices) or bool(indices.min() >= 0 and indices.max() < size)
