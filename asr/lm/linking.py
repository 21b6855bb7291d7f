"""From the rows of an ARPA file to the arrays of an ``NGram``: which contexts are states, and what they back off to."""

import logging
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled
from asr.errors import LanguageModelError
from asr.lm import arpa
from asr.lm.lookup import find, key_of, place_of
from asr.lm.words import BEGIN, END, UNKNOWN

UNKNOWN_LOG10 = -100.0
"""The log10 probability of unknown words under a model that gives none; KenLM's choice."""

_logger = logging.getLogger(__name__)


def unknown_first(table: arpa.Table, name: str) -> arpa.Table:
    """The table with <unk>, which some toolkits write <UNK>, as word 0; added where there is none."""
    words, unigrams = list(table.words), table.levels[0]
    missing = {BEGIN, END} - set(words)
    if missing:
        raise LanguageModelError(
            f"{name}: the language model has no {min(missing)} among its 1-grams; build it from whole sentences."
        )
    at = next((index for index, word in enumerate(words) if word in (UNKNOWN, "<UNK>")), None)
    if at is None:
        _logger.warning("%s: no <unk> in the model; unknown words get log10 %g.", name, UNKNOWN_LOG10)
        at, words = len(words), [*words, UNKNOWN]
        unigrams = arpa.Level(
            np.append(unigrams.words, np.full((1, 1), at, np.int32), axis=0),
            np.append(unigrams.log_prob, np.float32(UNKNOWN_LOG10)),
            np.append(unigrams.backoff, np.float32(0)),
        )
    order = [at, *range(at), *range(at + 1, len(words))]
    ids = np.argsort(order).astype(np.int32)
    first = arpa.Level(ids[unigrams.words][order], unigrams.log_prob[order], unigrams.backoff[order])
    levels = [arpa.Level(ids[level.words], level.log_prob, level.backoff) for level in table.levels[1:]]
    return arpa.Table([UNKNOWN, *(words[index] for index in order[1:])], [first, *levels])


class Linker:
    """The arrays of an ``NGram`` as they grow, order by order."""

    def __init__(self, table: arpa.Table, name: str):
        self.table, self.name = table, name
        self.counts = [len(level.log_prob) for level in table.levels]
        self.starts = np.cumsum([0, *self.counts]).tolist()
        # At most half full, and never without an empty place, which is where a search ends.
        size = 1 << (2 * sum(self.counts[1:])).bit_length()
        self.keys, self.slots = np.zeros(size, np.uint64), np.zeros(size, np.int32)
        self.contexts = np.zeros(self.starts[-1], np.int32)
        self.state_of = np.full(self.starts[-1], -1, np.int32)
        self.backoff = [np.zeros(1, np.float32)]
        self.num_states = 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of an ``NGram`` by their names there."""
        for order in range(2, len(self.counts) + 1):
            self._add(order)
        words = np.concatenate([level.words[:, -1] for level in self.table.levels])
        next_state = np.zeros(len(words), np.int32)
        suffix = np.full(self.num_states, -1, np.int32)
        _link(self.keys, self.slots, self.contexts, words, self.state_of, next_state, suffix, self.counts[0])
        log_prob = np.concatenate([level.log_prob for level in self.table.levels])
        return {
            "keys": self.keys,
            "slots": self.slots,
            "log_prob": _natural(log_prob),
            "next_state": next_state,
            "backoff": _natural(np.concatenate(self.backoff)),
            "suffix": suffix,
        }

    def _add(self, order: int) -> None:
        words = np.ascontiguousarray(self.table.levels[order - 1].words)
        prefixes = _find_prefixes(self.keys, self.slots, self.state_of, words)
        for row in np.flatnonzero(prefixes < 0)[:1].tolist():
            self._fail(order, row, f"but its context is missing from the {order - 1}-grams")
        self._make_states(order - 1, prefixes)
        first, last = self.starts[order - 1], self.starts[order]
        self.contexts[first:last] = self.state_of[prefixes]
        row = _insert(self.keys, self.slots, self.contexts[first:last], words[:, -1].copy(), first)
        if row >= 0:
            self._fail(order, row, "twice")

    def _make_states(self, order: int, prefixes: NDArray[np.int32]) -> None:
        """States for the n-grams of an order that begin a longer one, or have a backoff."""
        level, first = self.table.levels[order - 1], self.starts[order - 1]
        is_state = level.backoff != 0
        is_state[prefixes - first] = True
        chosen = np.flatnonzero(is_state)
        self.state_of[first + chosen] = np.arange(self.num_states, self.num_states + len(chosen))
        self.backoff.append(level.backoff[chosen])
        self.num_states += len(chosen)

    def _fail(self, order: int, row: int, reason: str) -> NoReturn:
        text = " ".join(self.table.words[index] for index in self.table.levels[order - 1].words[row])
        raise LanguageModelError(
            f"{self.name}: the language model has the {order}-gram {text!r} {reason}; write it again."
        )


def _natural(log10: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(log10 * np.log(10.0), np.float32)


@compiled
def _find_prefixes(keys, slots, state_of, words):  # type: ignore[no-untyped-def]
    """The n-gram of all words of a row but the last; -1 where the model lacks it."""
    prefixes = np.empty(len(words), np.int32)
    for row in range(len(words)):
        index = np.int64(words[row, 0])
        for column in range(1, words.shape[1] - 1):
            state = np.int64(state_of[index])
            index = find(keys, slots, state, words[row, column]) if state > 0 else np.int64(-1)
            if index < 0:
                break
        prefixes[row] = index
    return prefixes


@compiled
def _insert(keys, slots, states, words, first):  # type: ignore[no-untyped-def]
    """Number the n-grams from ``first``; returns the row of one that is there already, or -1."""
    mask = np.uint64(len(keys) - 1)
    for row in range(len(states)):
        key = key_of(np.int64(states[row]), words[row])
        position = place_of(key) & mask
        while keys[position] != 0:
            if keys[position] == key:
                return row
            position = (position + np.uint64(1)) & mask
        keys[position] = key
        slots[position] = first + row
    return -1


@compiled
def _link(keys, slots, contexts, words, state_of, next_state, suffix, num_words):  # type: ignore[no-untyped-def]
    """Fill ``next_state`` and ``suffix``, as the failure links of Aho and Corasick (1975), shorter ones first."""
    for index in range(len(words)):
        longest = np.int64(0)
        if index >= num_words:
            state = np.int64(suffix[contexts[index]])
            shorter = find(keys, slots, state, words[index])
            while shorter < 0:
                state = np.int64(suffix[state])
                shorter = find(keys, slots, state, words[index])
            longest = np.int64(next_state[shorter])
        own = state_of[index]
        if own >= 0:
            suffix[own] = longest
        next_state[index] = own if own >= 0 else longest
