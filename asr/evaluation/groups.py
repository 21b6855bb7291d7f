"""The error rate of parts of a test set: of each speaker, of the old and the young, of what is noisy or said fast."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np

from asr import scoring
from asr.errors import ManifestError
from asr.evaluation.scored import Evaluation, Scored
from asr.evaluation.snr import estimate_snr
from asr.manifest import Utterance
from asr.scoring import Counts, Interval

MOST_VALUES = 8
"""Numbers of more values than this are cut into quarters of the utterances."""
NONE = "none"
"""The group of what lacks the field."""


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
    known = [value for value in values if value is not None]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return [NONE if value is None else str(value) for value in values], []
    edges, names = _bins(known) if known else ([], [])
    labels = [NONE if value is None else names[np.searchsorted(edges, value)] for value in values]
    return labels, [*names, NONE]


def _bins(numbers: Sequence[float]) -> tuple[list[float], list[str]]:
    """The upper edges of all bins but the last, and the names of all: few values are each a bin, else quarters are."""
    values = sorted(set(numbers))
    if len(values) <= MOST_VALUES:
        return values, [f"{value:g}" for value in values]
    edges = sorted({float(f"{edge:.3g}") for edge in np.quantile(numbers, [0.25, 0.5, 0.75])})
    between = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return edges, [f"up to {edges[0]:g}", *between, f"above {edges[-1]:g}"]
