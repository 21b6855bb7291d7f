"""Is B really better than A: systems on one test set, their differences with intervals and tests.

Differences are paired: an utterance that is hard for both says nothing. The bootstrap (Bisani and Ney 2004) asks how
the difference would vary with other utterances; MAPSSWE (``asr.scoring.matched_pairs``) whether it could be chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr import scoring
from asr.errors import ManifestError
from asr.evaluation import Evaluation, Scored
from asr.evaluation.diagnosis import changed_words
from asr.evaluation.transcripts import name_some
from asr.scoring import Counts, Interval, matched_pairs
from asr.scoring.changes import Changes
from asr.scoring.matched_pairs import MatchedPairs


@dataclass(frozen=True)
class Difference:
    """The WER of one system minus that of the baseline; negative is better."""

    wer: float
    interval: Interval
    """95 %, paired bootstrap over utterances."""
    over_speakers: Interval | None
    """The same over speakers, where two at least are known."""
    improvement: float
    """The share of resamples in which it has fewer errors: Bisani and Ney's probability of improvement."""
    p_value: float
    """Two-sided, of the same resamples."""
    matched_pairs: MatchedPairs
    """On sclite's alignment, as sc_stats has it."""


@dataclass(frozen=True)
class Changed:
    """An utterance that two systems hear differently."""

    name: str
    before: Scored
    after: Scored

    @property
    def gain(self) -> int:
        """Errors fewer than before."""
        return self.before.words.errors - self.after.words.errors


@dataclass(frozen=True)
class Comparison:
    """Systems by name, the first of them the baseline, their utterances in one order."""

    systems: Mapping[str, Evaluation]

    @property
    def baseline(self) -> Evaluation:
        """What the others are compared with."""
        return next(iter(self.systems.values()))

    def differences(self) -> dict[str, Difference]:
        """Every system but the first, against the first."""
        names = list(self.systems)[1:]
        return {name: difference(self.systems[name], self.baseline) for name in names}

    def changed(self, name: str) -> list[Changed]:
        """The utterances that ``name`` hears differently from the baseline; what gained or lost most comes first."""
        rows = zip(self.baseline.ids, self.baseline.utterances, self.systems[name].utterances, strict=True)
        found = [Changed(*row) for row in rows if row[1].hypothesis != row[2].hypothesis]
        return sorted(found, key=lambda one: (-abs(one.gain), -one.gain))

    def words(self, name: str) -> Changes:
        """The words that ``name`` fixed and broke."""
        return changed_words(self.baseline, self.systems[name])


def compare(evaluations: Mapping[str, Evaluation]) -> Comparison:
    """Put the utterances of all into the order of the first.

    Raises:
        ManifestError: they do not hold the same utterances with the same references, or count differently.
    """
    (first, baseline), *others = evaluations.items()
    for name, evaluation in others:
        problem = _mismatch(baseline, evaluation, first, name)
        if problem is not None:
            raise ManifestError(f"{first} and {name} cannot be compared: {problem}")
    return Comparison({name: _in_order(one, baseline.ids) for name, one in evaluations.items()})


def difference(ours: Evaluation, theirs: Evaluation) -> Difference:
    """Ours minus theirs, over the same utterances in one order."""
    counts = [[scored.words for scored in one.utterances] for one in (ours, theirs)]
    rates = _resampled(*counts)
    below, above = float(np.mean(rates < 0)), float(np.mean(rates > 0))
    ties = 1 - below - above
    return Difference(
        ours.words.rate - theirs.words.rate,
        scoring.percentiles(rates),
        _over_speakers(ours, *counts),
        below,
        min(1.0, 2 * (min(below, above) + ties)),
        matched_pairs.test(*(_sclite_pairs(one) for one in (ours, theirs))),
    )


def _resampled(ours: Sequence[Counts], theirs: Sequence[Counts]) -> NDArray[np.float64]:
    rows = [(our.errors - their.errors, our.num_reference) for our, their in zip(ours, theirs, strict=True)]
    errors, words = scoring.resample(rows or [(0, 0)]).T
    return np.asarray(errors / np.maximum(words, 1.0))


def _over_speakers(
    evaluation: Evaluation, ours: Sequence[Counts], theirs: Sequence[Counts]
) -> Interval | None:
    speakers = evaluation.speakers
    if speakers is None or len(set(speakers)) < 2:
        return None
    return scoring.percentiles(_resampled(*(scoring.by_unit(speakers, one) for one in (ours, theirs))))


def _sclite_pairs(evaluation: Evaluation) -> list[list[scoring.Pair]]:
    return [scoring.align(one.reference, one.hypothesis, "sclite") for one in evaluation.utterances]


def _mismatch(ours: Evaluation, theirs: Evaluation, first: str, name: str) -> str | None:
    """What two evaluations differ in, as the rest of a sentence."""
    ids = [dict.fromkeys(one.ids) for one in (ours, theirs)]
    lacking = {
        name: [one for one in ids[0] if one not in ids[1]],
        first: [one for one in ids[1] if one not in ids[0]],
    }
    missing = [f"{who} lacks {name_some(names)}" for who, names in lacking.items() if names]
    if missing:
        return f"{'; '.join(missing)}. Score both on one test set."
    if ours.setup.weights != theirs.setup.weights:
        weights = " and ".join(f"{one.setup.weights}'s" for one in (ours, theirs))
        return f"they count on {weights} alignment. Give both the same --weights."
    said, other = (dict(zip(one.ids, one.utterances, strict=True)) for one in (ours, theirs))
    for one in ours.ids:
        if said[one].reference != other[one].reference:
            return (
                f"of {one} the references are {said[one].reference!r} and {other[one].reference!r} (normalised: "
                f"{ours.setup.normalization}; {theirs.setup.normalization}). Score both on one test set, alike."
            )
    return None


def _in_order(evaluation: Evaluation, ids: Sequence[str]) -> Evaluation:
    utterances = dict(zip(evaluation.ids, evaluation.utterances, strict=True))
    return Evaluation(tuple(utterances[name] for name in ids), evaluation.seconds, evaluation.setup)
