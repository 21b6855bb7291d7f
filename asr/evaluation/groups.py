"""The error rate of parts of a test set: of each speaker, of the old and the young, of what is noisy or said fast."""

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from itertools import pairwise
from statistics import fmean
from typing import Any

from asr import scoring
from asr.errors import ManifestError
from asr.evaluation.scored import Evaluation, Scored
from asr.evaluation.snr import estimate_snr
from asr.manifest import Utterance
from asr.scoring import Counts, Interval

MOST_VALUES = 8
"""Numbers of more values than this are cut into quarters of the utterances."""
NONE = "none"
"""The group of what lacks the field, or has NaN there."""
_SURE_DIGITS = sys.float_info.dig
"""A float keeps as many."""


@dataclass(frozen=True)
class Group:
    """The utterances that have one value of a field, or lie in one quarter of it."""

    label: str
    utterances: int
    words: Counts
    interval: Interval
    """95 % of its word error rate, over utterances."""


def _confidence(scored: Scored) -> float | None:
    return fmean(word.confidence for word in scored.heard) if scored.heard else None


def _rate(scored: Scored) -> float | None:
    seconds = scored.utterance.duration
    return len(scored.reference.split()) / seconds if seconds else None


DERIVED: Mapping[str, Callable[[Scored], Any]] = {
    "speaker": lambda scored: scored.utterance.speaker,
    "duration": lambda scored: scored.utterance.duration,
    "words": lambda scored: len(scored.reference.split()),
    "rate": _rate,
    "confidence": _confidence,
    "snr": lambda scored: estimate_snr(scored.utterance),
}
"""What can be known without the manifest's saying so: seconds, words of the reference, words a second, the mean
confidence of the words heard, an estimate in dB. A key of the manifest goes before what bears its name here."""


def group_by(evaluation: Evaluation, field: str) -> list[Group]:
    """The groups of a key of the manifest or of ``DERIVED``: numbers from low to high, else the worst first.

    Raises:
        ManifestError: no utterance has such a field; those that there are are named.
    """
    labels, order = _labels(_values(evaluation, field))
    members: dict[str, list[Counts]] = {label: [] for label in order or sorted(set(labels))}
    for label, scored in zip(labels, evaluation.utterances, strict=True):
        members[label].append(scored.words)
    groups = [
        Group(label, len(counts), scoring.total(counts), scoring.interval(counts))
        for label, counts in members.items()
        if counts
    ]
    return groups if order else sorted(groups, key=lambda group: -group.words.rate)


def check_fields(utterances: Sequence[Utterance], fields: Sequence[str]) -> None:
    """Raise ``ManifestError`` for a field that ``group_by`` would refuse: before anything is transcribed."""
    known = {*DERIVED, *(key for utterance in utterances for key in utterance.extra)}
    for field in fields:
        if field not in known:
            raise ManifestError(f"No utterance has the field {field!r}; there is {', '.join(sorted(known))}.")


def _values(evaluation: Evaluation, field: str) -> list[Any]:
    utterances = [scored.utterance for scored in evaluation.utterances]
    check_fields(utterances, [field])
    if any(field in utterance.extra for utterance in utterances):
        return [utterance.extra.get(field) for utterance in utterances]
    return [DERIVED[field](scored) for scored in evaluation.utterances]


def _labels(values: Sequence[Any]) -> tuple[list[str], list[str]]:
    """The label of each value, and all labels in the order of their numbers; no order where they are names."""
    values = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    known = [value for value in values if value is not None]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return [NONE if value is None else str(value) for value in values], []
    edges, names = _bins([_tidy(value) for value in known]) if known else ([], [])
    labels = [NONE if value is None else names[bisect_left(edges, _tidy(value))] for value in values]
    return labels, [*names, NONE]


def _tidy(number: float) -> float:
    """Whole numbers as int, whose digits are all shown; others without what arithmetic left in the last digit."""
    if isinstance(number, int):
        return number
    rounded = float(f"{number:.{_SURE_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 10**_SURE_DIGITS else rounded


def _bins(numbers: Sequence[float]) -> tuple[list[float], list[str]]:
    """The upper edges of all bins but the last, and the names of all: few values are each a bin, else quarters are."""
    values = sorted(set(numbers))
    if len(values) <= MOST_VALUES:
        return values, _names(values)
    ordered = sorted(numbers)
    lowest = {ordered[len(ordered) * quarter // 4 - 1] for quarter in (1, 2, 3)}
    edges = sorted(_edge(low, values) for low in lowest)
    names = _names(edges)
    between = [f"{low} to {high}" for low, high in pairwise(names)]
    return edges, [f"up to {names[0]}", *between, f"above {names[-1]}"]


def _edge(low: float, values: Sequence[float]) -> float:
    """The number of fewest digits that divides the sorted values behind ``low``, which is one of them."""
    high = [*values, math.inf][bisect_right(values, low)]
    for digits in range(1, _SURE_DIGITS + 1):
        edge = type(low)(Context(digits, ROUND_CEILING).create_decimal(str(low)))
        if edge < high:
            return _tidy(edge)
    return low


def _names(numbers: Sequence[float]) -> list[str]:
    """Each in six digits, or as many as it takes to tell them apart; whole numbers whole."""
    for digits in range(6, _SURE_DIGITS + 1):
        names = [str(one) if isinstance(one, int) else f"{one:.{digits}g}" for one in numbers]
        if len(set(names)) == len(numbers):
            break
    return names
