"""Every number of an evaluation as plain nested values: what ``results.json`` holds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from asr import scoring
from asr.evaluation.diagnosis import calibration, changed_words, frequencies, greedy, oracle, worst_first
from asr.evaluation.groups import group_by
from asr.evaluation.scored import Evaluation
from asr.scoring import Counts, Interval, Pair
from asr.scoring.changes import Changes
from asr.scoring.tally import most_common, tally

MOST = 100
"""Rows of each list of errors and of utterances; the errs file has them all."""
ALWAYS = ("speaker", "duration", "words", "rate", "confidence")
"""Fields that are grouped by where they are known."""


def figures(
    evaluation: Evaluation, by: Sequence[str] = (), training: Counter[str] | None = None
) -> dict[str, Any]:
    """Rates with counts and intervals, tables by field, errors, and where they come from.

    ``by`` are fields to group by besides the usual ones; ``training`` counts the words of the training text.

    Raises:
        ManifestError: no utterance has one of the fields.
    """
    utterances = evaluation.utterances
    return {
        "setup": asdict(evaluation.setup),
        "seconds": round(evaluation.seconds, 3),
        "audio_seconds": round(evaluation.audio_seconds, 3),
        "utterances": len(utterances),
        "failures": len(evaluation.failures),
        "words": _rate(evaluation, [scored.words for scored in utterances]),
        "characters": _rate(evaluation, [scored.characters for scored in utterances]),
        "sentences": _rate(evaluation, evaluation.sentences),
        "groups": _groups(evaluation, by),
        "errors": {
            "words": _errors(scored.pairs for scored in utterances),
            "characters": _errors(
                scoring.align_characters(scored.reference, scored.hypothesis) for scored in utterances
            ),
        },
        "worst_utterances": [evaluation.ids[place] for place in worst_first(evaluation)[:MOST]],
        "calibration": _as_dict(calibration(evaluation)),
        "frequencies": None if training is None else _frequencies(evaluation, training),
        "oracle": _optional_counts(oracle(evaluation)),
        "greedy": _greedy(evaluation),
    }


def _rate(evaluation: Evaluation, counts: Sequence[Counts]) -> dict[str, Any]:
    speakers = evaluation.over_speakers(counts)
    return {
        **_counts(scoring.total(counts)),
        "interval": _bounds(scoring.interval(counts)),
        "interval_over_speakers": None if speakers is None else _bounds(speakers),
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "rate": round(counts.rate, 6),
        "errors": counts.errors,
        "reference": counts.num_reference,
        **asdict(counts),
    }


def _optional_counts(counts: Counts | None) -> dict[str, Any] | None:
    return None if counts is None else _counts(counts)


def _bounds(interval: Interval) -> list[float]:
    return [round(interval.low, 6), round(interval.high, 6)]


def _groups(evaluation: Evaluation, by: Sequence[str]) -> dict[str, Any]:
    tables = {field: group_by(evaluation, field) for field in dict.fromkeys([*ALWAYS, *by])}
    return {
        field: [
            {
                "label": group.label,
                "utterances": group.utterances,
                **_counts(group.words),
                "interval": _bounds(group.interval),
            }
            for group in groups
        ]
        for field, groups in tables.items()
        if len(groups) > 1 or field in by
    }


def _errors(alignments: Iterable[Iterable[Pair]]) -> dict[str, Any]:
    found = tally(alignments)
    return {
        "substitutions": [[times, *pair] for pair, times in most_common(found.substitutions, MOST)],
        "deletions": [[times, word] for word, times in most_common(found.deletions, MOST)],
        "insertions": [[times, word] for word, times in most_common(found.insertions, MOST)],
    }


def _frequencies(evaluation: Evaluation, training: Counter[str]) -> dict[str, Any]:
    bins = frequencies(evaluation, training)
    words = sum(one.words for one in bins)
    return {
        "out_of_vocabulary": round(bins[0].words / max(words, 1), 6),
        "bins": [asdict(one) for one in bins],
    }


def _greedy(evaluation: Evaluation) -> dict[str, Any] | None:
    before = greedy(evaluation)
    if before is None:
        return None
    return {**_counts(before.words), **change_lists(changed_words(before, evaluation))}


def change_lists(changes: Changes) -> dict[str, Any]:
    """The most frequent words that were fixed and broken: times, what was said, what the wrong one heard."""
    rows = {"fixed": changes.fixed, "broken": changes.broken}
    return {
        name: {
            "words": counter.total(),
            "most": [[times, *pair] for pair, times in most_common(counter, MOST)],
        }
        for name, counter in rows.items()
    }


def _as_dict(value: Any) -> dict[str, Any] | None:
    return None if value is None else asdict(value)
