"""How well texts begin as CTC hears it: the probability of all texts with a prefix (Watanabe et al. 2017, algorithm 2).

In logarithms and without a loop over frames: what a label's path gathers on its way is a running sum, once divided by
the product of what it passes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_LEAST = -1e4
"""For minus infinity, which is not divided by."""


class Prefixes:
    """Some prefixes of one utterance, each ``(time + 1)`` logarithms: of all paths that wrote it until then."""

    def __init__(self, log_probs: Array, label_last: Array, blank_last: Array, last: NDArray[np.int64]):
        self._log_probs = log_probs
        self._label_last, self._blank_last = label_last, blank_last
        self._last = last

    @classmethod
    def empty(cls, log_probs: NDArray[np.floating[Any]]) -> "Prefixes":
        """The one prefix that nothing is written in, of ``(time, vocab)``."""
        scores = np.maximum(np.asarray(log_probs, np.float64), _LEAST)
        blanks = np.concatenate([[0.0], np.cumsum(scores[:, 0])])[None]
        return cls(scores, np.full_like(blanks, -np.inf), blanks, np.array([0]))

    def ended(self) -> Array:
        """``(prefix,)``: natural logs that the text is this and no more."""
        ends: Array = np.logaddexp(self._label_last[:, -1], self._blank_last[:, -1])
        return ends

    def extended(self) -> Array:
        """``(prefix, vocab)``: natural logs that the text begins with the prefix and one more label; no label is 0."""
        before = np.logaddexp(self._label_last, self._blank_last)[:, :-1]
        scores = _log_matmul(before, self._log_probs)
        rows = np.arange(len(self._last))
        # A label that follows itself needs a blank between.
        again = self._blank_last[:, :-1] + self._log_probs[:, self._last].T
        scores[rows, self._last] = np.logaddexp.reduce(again, axis=1)
        scores[:, 0] = -np.inf
        return scores

    def grown(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> "Prefixes":
        """The prefixes at ``rows``, each with one label more."""
        label_last, blank_last = self._label_last[rows], self._blank_last[rows]
        again = (labels == self._last[rows])[:, None]
        entered = np.where(again, blank_last, np.logaddexp(label_last, blank_last))
        grown = _gathered(entered, self._log_probs[:, labels].T)
        rested = _gathered(grown, np.broadcast_to(self._log_probs[:, 0], (len(rows), len(self._log_probs))))
        return Prefixes(self._log_probs, grown, rested, labels)


def _gathered(entering: Array, passing: Array) -> Array:
    """``r[t] = (r[t-1] + entering[t-1]) * passing[t]`` in logarithms, from nothing: ``(prefix, time + 1)``."""
    product = np.cumsum(passing, axis=1)
    before = np.concatenate([np.zeros((len(product), 1)), product[:, :-1]], axis=1)
    sums = np.logaddexp.accumulate(entering[:, :-1] - before, axis=1)
    return np.concatenate([np.full((len(product), 1), -np.inf), sums + product], axis=1)


def _log_matmul(left: Array, right: Array) -> Array:
    """The logarithm of a product of matrices given by theirs."""
    largest = left.max(axis=1, keepdims=True, initial=_LEAST)
    with np.errstate(divide="ignore"):
        product: Array = np.log(np.exp(left - largest) @ np.exp(right)) + largest
    return product
