"""Forced alignment: which frames each label of a known text was said in, by the Viterbi path through CTC."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLANK = 0


def align(log_probs: NDArray[np.floating[Any]], labels: Sequence[int]) -> list[tuple[int, int]]:
    """The half-open frame span of each label on the likeliest path of ``log_probs (time, vocab)`` that writes them.

    Spans cover the frames that show the label itself; the blanks between belong to nobody. Empty when there are
    fewer frames than the labels need.
    """
    if not labels:
        return []
    extended = np.zeros(2 * len(labels) + 1, np.int64)  # blanks around and between
    extended[1::2] = labels
    states = _best_path(log_probs, extended)
    if not len(states):
        return []
    frames = [np.flatnonzero(states == 2 * place + 1) for place in range(len(labels))]
    return [(int(own[0]), int(own[-1]) + 1) for own in frames]


def _best_path(log_probs: NDArray[np.floating[Any]], extended: NDArray[np.int64]) -> NDArray[np.int64]:
    """The state at each frame; a state may stay, advance by one, or skip a blank between different labels."""
    num_frames, num_states = len(log_probs), len(extended)
    may_skip = np.zeros(num_states, bool)
    may_skip[2:] = (extended[2:] != BLANK) & (extended[2:] != extended[:-2])
    scores = np.full(num_states, -np.inf)
    scores[:2] = log_probs[0, extended[:2]]
    steps = np.zeros((num_frames, num_states), np.int8)
    for frame in range(1, num_frames):
        one, two = np.full(num_states, -np.inf), np.full(num_states, -np.inf)
        one[1:] = scores[:-1]
        two[2:] = np.where(may_skip[2:], scores[:-2], -np.inf)
        arrivals = np.stack([scores, one, two])
        steps[frame] = arrivals.argmax(axis=0)
        scores = arrivals.max(axis=0) + log_probs[frame, extended]
    state = int(scores[-2:].argmax()) + num_states - 2
    if scores[state] == -np.inf:
        return np.empty(0, np.int64)
    path = np.empty(num_frames, np.int64)
    for frame in range(num_frames - 1, -1, -1):
        path[frame] = state
        state -= int(steps[frame, state])
    return path
