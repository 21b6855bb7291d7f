"""How far a rate could lie from what other utterances, or other speakers, would have given.

The percentile bootstrap (Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance
evaluation", 2004): units are drawn with replacement as often as there are units, and counts, not strings, are added
up. Units are utterances, or speakers with all that they said, whose errors go together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asr.scoring.counts import Counts

NUM_SAMPLES = 10_000
_BLOCK = 100_000
"""Numbers drawn at a time: what a core's cache holds, whatever the size of the test set."""


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of a rate."""

    low: float
    high: float


def resample(values: ArrayLike, *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> NDArray[np.float64]:
    """``(num_samples, num_columns)``: the sums of as many rows as ``values (num_units, num_columns)`` has, drawn."""
    columns = np.ascontiguousarray(np.asarray(values, float).T)
    num_units = columns.shape[1]
    rows = max(1, _BLOCK // num_units)
    sums = np.empty((num_samples, len(columns)))
    rng = np.random.default_rng(seed)
    for start in range(0, num_samples, rows):
        block = sums[start : start + rows]
        drawn = rng.integers(num_units, size=(len(block), num_units))
        for index, column in enumerate(columns):
            block[:, index] = column.take(drawn).sum(axis=1)
    return sums


def interval(counts: Sequence[Counts], *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> Interval:
    """The 95 % bootstrap interval of the error rate, of units as they are given; a seed gives one interval."""
    return _interval([one.errors for one in counts], counts, num_samples, seed)


def difference(
    ours: Sequence[Counts], theirs: Sequence[Counts], *, num_samples: int = NUM_SAMPLES, seed: int = 1
) -> Interval:
    """The 95 % paired bootstrap interval of our error rate minus theirs, over the same utterances in one order."""
    pairs = zip(ours, theirs, strict=True)
    return _interval([our.errors - their.errors for our, their in pairs], ours, num_samples, seed)


def by_unit(units: Iterable[Any], counts: Iterable[Counts]) -> list[Counts]:
    """The counts of each unit added up: of each speaker, say, in order of appearance."""
    sums: dict[Any, Counts] = {}
    for unit, one in zip(units, counts, strict=True):
        sums[unit] = sums.get(unit, Counts()) + one
    return list(sums.values())


def percentiles(rates: NDArray[np.float64]) -> Interval:
    """Where the middle 95 % of resampled rates lie."""
    low, high = np.percentile(rates, [2.5, 97.5])
    return Interval(float(low), float(high))


def _interval(errors: Sequence[int], counts: Sequence[Counts], num_samples: int, seed: int) -> Interval:
    if not counts:
        return Interval(0.0, 0.0)
    words = [one.num_reference for one in counts]
    wrong, of = resample(np.stack([errors, words], axis=1), num_samples=num_samples, seed=seed).T
    return percentiles(wrong / np.maximum(of, 1.0))
