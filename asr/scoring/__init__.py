"""Error rates with their counts and their intervals: alignment, bootstrap, matched pairs.

Counts are added over the test set and divided once; an empty hypothesis is so many deletions.
"""

from asr.scoring.alignment import (
    Pair,
    Weights,
    align,
    align_characters,
    count,
    count_characters,
    count_words,
    judge,
)
from asr.scoring.bootstrap import Interval, by_unit, difference, interval, percentiles, resample
from asr.scoring.counts import Counts, total, wer_line

__all__ = [
    "Counts",
    "Interval",
    "Pair",
    "Weights",
    "align",
    "align_characters",
    "by_unit",
    "count",
    "count_characters",
    "count_words",
    "difference",
    "interval",
    "judge",
    "percentiles",
    "resample",
    "total",
    "wer_line",
]
