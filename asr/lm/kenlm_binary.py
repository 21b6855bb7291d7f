"""KenLM's own binary files, by way of the ``kenlm`` package where that is installed; its ARPA files need no package.

    header: magic, counts   |   hash tables or trie   |   the words, each followed by a zero byte, <unk> first

The package answers questions about one word at a time and keeps a history as an object; here a history is a
number, as it is in an ``NGram``. What is read here of the file is its header and its words.
"""

import mmap
import os
import struct
from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import LanguageModelError
from asr.lm.arpa import KENLM_MAGIC, MAX_ORDER
from asr.lm.words import BEGIN, END, UNKNOWN, NGramModel

_HEADER = struct.Struct("<88xBxxxfI?xxxI")
"""After magic and self-test: order, probing multiplier, type, whether there are words, version of the tables."""
_NATURAL = float(np.log(10))


def is_kenlm(path: str | os.PathLike[str]) -> bool:
    """Whether a file that can be read begins as KenLM's binaries do, whatever its name."""
    try:
        with open(path, "rb") as file:
            return file.read(len(KENLM_MAGIC)) == KENLM_MAGIC
    except OSError:
        return False


class KenlmModel(NGramModel):
    """A KenLM binary with the names of an ``NGram``: what a decoder asks, and natural logarithms throughout.

    State 0 is the empty context. States are numbered as they are met and kept as long as the model.
    """

    asks = True

    def __init__(self, path: str | os.PathLike[str]):
        """Open a binary of any kind that ``build_binary`` makes with the words in it, which is its default.

        Raises:
            LanguageModelError: the package is missing, or the file is missing, damaged, or without its words.
        """
        self._kenlm = _package(os.fspath(path))
        self.counts, self.words = _read(os.fspath(path))
        try:
            self._model = self._kenlm.Model(os.fspath(path))
        except (OSError, RuntimeError) as error:
            raise _unusable(os.fspath(path), " ".join(str(error).split())) from None
        self._states: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._lock = Lock()
        empty, begin = self._kenlm.State(), self._kenlm.State()
        self._model.NullContextWrite(empty)
        self._model.BeginSentenceWrite(begin)
        self._number(empty)
        self._begin = self._number(begin)

    @property
    def bos_state(self) -> int:
        """The state at the beginning of a sentence."""
        return self._begin

    @cached_property
    def log_prob(self) -> NDArray[np.float32]:
        """``(num_words,)`` of each word after nothing."""
        return np.array([self.advance(0, word)[0] for word in range(len(self.words))], np.float32)

    def advance(self, state: int, word: int) -> tuple[float, int]:
        """The log-probability of a word after a state, and the state after it."""
        after = self._kenlm.State()
        log10 = self._model.BaseScore(self._states[state], self.words[word], after)
        return log10 * _NATURAL, self._number(after)

    def advance_all(self, states: Sequence[int], words: Sequence[int]) -> list[tuple[float, int]]:
        """``advance`` for each."""
        return [self.advance(state, word) for state, word in zip(states, words, strict=True)]

    def open(self) -> "KenlmModel":
        """What one search asks."""
        return self

    def score(self, words: Sequence[str], *, bos: bool = True, eos: bool = True) -> list[float]:
        """The log-probability of each word after those before it, and of </s> at the end with ``eos``."""
        state, scores = self.bos_state if bos else 0, []
        for word in [self.word_id(word) for word in words] + [self.eos] * eos:
            log_prob, state = self.advance(state, word)
            scores.append(log_prob)
        return scores

    def _number(self, state: Any) -> int:
        number = self._numbers.get(state)
        if number is None:
            with self._lock:  # two threads may meet a state at once
                number = self._numbers.setdefault(state, len(self._states))
                if number == len(self._states):
                    self._states.append(state)
        return number


def _package(path: str) -> Any:
    try:
        import kenlm
    except ImportError:
        raise LanguageModelError(
            f"{path}: the language model is a KenLM binary, which only KenLM reads; "
            "`pip install kenlm-ex`, or give the ARPA file that it was made from."
        ) from None
    return kenlm


def _read(path: str) -> tuple[tuple[int, ...], list[str]]:
    """The number of n-grams of each order, and the words by KenLM's own numbers."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            order, _, _, has_words, _ = _HEADER.unpack_from(mapped)
            if not 1 <= order <= MAX_ORDER:
                raise ValueError(f"its order is {order}, and {MAX_ORDER} is the highest")
            if not has_words:
                raise ValueError("it was built without its words; leave out the option -v of build_binary")
            counts = struct.unpack_from(f"<{order}Q", mapped, _HEADER.size)
            start = mapped.rfind(f"{UNKNOWN}\0".encode())
            words = mapped[start:].decode().split("\0")[:-1] if start > 0 else []
    except (OSError, ValueError, struct.error) as error:
        raise _unusable(path, str(error)) from None
    # Where the ARPA file had no <unk>, it is not counted.
    if len(words) not in (counts[0], counts[0] + 1) or not {BEGIN, END} <= set(words):
        raise _unusable(path, "its words do not fit its header")
    return counts, words


def _unusable(path: str, reason: str) -> LanguageModelError:
    return LanguageModelError(
        f"{path}: the KenLM binary cannot be used ({reason}); build it again, or give its ARPA file."
    )
