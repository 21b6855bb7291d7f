"""One step of an n-gram model, compiled: the hash table of (state, word), and backing off."""

import numpy as np

from asr.compiled import compiled


@compiled
def key_of(state, word):  # type: ignore[no-untyped-def]
    """What the table stores for a state and a word; never 0."""
    return ((np.uint64(state) << np.uint64(32)) | np.uint64(word)) + np.uint64(1)


@compiled
def place_of(key):  # type: ignore[no-untyped-def]
    """Where to look first: the finaliser of MurmurHash3, of which the low bits are as good as any."""
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))


@compiled
def find(keys, slots, state, word):  # type: ignore[no-untyped-def]
    """The n-gram of a state and a word, or -1; linear probing."""
    if state == 0:
        return np.int64(word)
    mask = np.uint64(len(keys) - 1)
    key = key_of(state, word)
    position = place_of(key) & mask
    while keys[position] != 0:
        if keys[position] == key:
            return np.int64(slots[position])
        position = (position + np.uint64(1)) & mask
    return np.int64(-1)


@compiled
def advance(keys, slots, log_prob, next_state, backoff, suffix, state, word):  # type: ignore[no-untyped-def]
    """The natural log-probability of a word after a state, and the state after it.

    The arrays are those of an ``NGram``, the word one of its ids; nothing is checked.
    """
    total = 0.0
    state = np.int64(state)
    index = find(keys, slots, state, word)
    while index < 0:
        total += backoff[state]
        state = np.int64(suffix[state])
        index = find(keys, slots, state, word)
    return total + log_prob[index], np.int64(next_state[index])
