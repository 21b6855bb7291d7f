"""How well texts fit a recording: the score of the likeliest path through CTC that writes each, compiled.

States are as in ``viterbi``, but nothing is remembered but the scores, so that hundreds of texts can be tried.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled

BLANK = 0


def scores(log_probs: NDArray[np.float32], texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Natural log of the likeliest path of each text's labels through ``log_probs (time, vocab)``; -inf for none."""
    ends = np.cumsum([len(labels) for labels in texts], dtype=np.int64)
    flat = np.array([label for labels in texts for label in labels], np.int64)
    found: NDArray[np.float64] = _scores(np.ascontiguousarray(log_probs, np.float32), flat, ends)
    return found


@compiled
def _scores(log_probs, flat, ends):  # type: ignore[no-untyped-def]
    found = np.empty(len(ends))
    start = 0
    for number, end in enumerate(ends):
        found[number] = _score(log_probs, flat[start:end])
        start = end
    return found


@compiled
def _score(log_probs, labels):  # type: ignore[no-untyped-def]
    num_labels = len(labels)
    skipping = np.zeros(num_labels)  # what it adds forbids going to an equal label without a blank
    skipping[1:] = np.where(labels[1:] == labels[:-1], -np.inf, 0.0)
    blanks, others = np.full(num_labels + 1, -np.inf), np.full(num_labels + 1, -np.inf)
    blanks[0] = 0.0
    # others[j + 1] is label j, so that others[j], and blanks[j], come before it; others[0] is nothing
    for row in log_probs:
        left = -np.inf
        for place in range(num_labels):
            here = others[place + 1]
            best = max(here, max(blanks[place], left + skipping[place]))
            blanks[place] = max(blanks[place], left) + row[BLANK]
            others[place + 1] = best + row[labels[place]]
            left = here
        blanks[num_labels] = max(blanks[num_labels], left) + row[BLANK]
    return max(blanks[num_labels], others[num_labels])
