"""Where it fails: confidences that promise too much, words never seen, errors that the n-best list could undo."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from asr import scoring
from asr.decoding.confidence import Bin, expected_calibration_error, reliability
from asr.evaluation.scored import Evaluation, score
from asr.scoring import Counts
from asr.scoring.changes import Changes, changes

FREQUENCIES = (0, 1, 10, 100, 1000, 10000)
"""Times in the training text from which on a word is in the next bin; 0 is what was never seen."""


@dataclass(frozen=True)
class Calibration:
    """What word confidences promise, and what they keep."""

    bins: list[Bin]
    error: float
    """Expected calibration error."""


@dataclass(frozen=True)
class Frequency:
    """Words of the reference that are so frequent in the training text."""

    least: int
    most: int | None
    """Times; None: no bound."""
    words: int
    """Of the references, each as often as it was said."""
    errors: int
    """Of them, substituted or deleted."""


def calibration(evaluation: Evaluation) -> Calibration | None:
    """Of all words heard; None where nobody gave them confidences."""
    confidences, right = [], []
    for scored in evaluation.utterances:
        if scored.heard:
            confidences += [word.confidence for word in scored.heard]
            right += [said == heard for said, heard in scored.pairs if heard is not None]
    if not confidences:
        return None
    return Calibration(reliability(confidences, right), expected_calibration_error(confidences, right))


def frequencies(evaluation: Evaluation, training: Counter[str]) -> list[Frequency]:
    """Errors by how often the training text has the word; the first bin is what it lacks."""
    words, errors = Counter[int](), Counter[int]()
    for scored in evaluation.utterances:
        for said, heard in scored.pairs:
            if said is not None:
                place = sum(training[said] >= least for least in FREQUENCIES)
                words[place] += 1
                errors[place] += said != heard
    bounds = [*FREQUENCIES[1:], None]
    return [
        Frequency(least, None if bound is None else bound - 1, words[place], errors[place])
        for place, (least, bound) in enumerate(zip(FREQUENCIES, bounds, strict=True), 1)
    ]


def oracle(evaluation: Evaluation) -> Counts | None:
    """The words of the best text of each n-best list: what rescoring could reach; None without lists."""
    if not any(scored.alternatives for scored in evaluation.utterances):
        return None
    return scoring.total(
        [
            min(
                (
                    scoring.count_words(scored.reference, text, evaluation.setup.weights)
                    for text in (scored.hypothesis, *scored.alternatives)
                ),
                key=lambda counts: counts.errors,
            )
            for scored in evaluation.utterances
        ]
    )


def greedy(evaluation: Evaluation) -> Evaluation | None:
    """The same test set as greedy decoding hears it; None where that was not asked for, or is all there is."""
    if all(scored.greedy is None for scored in evaluation.utterances):
        return None
    return Evaluation(
        tuple(
            score(
                one.utterance, one.reference, one.greedy or "", one.failure, weights=evaluation.setup.weights
            )
            for one in evaluation.utterances
        ),
        evaluation.seconds,
        evaluation.setup,
    )


def changed_words(before: Evaluation, after: Evaluation) -> Changes:
    """Word by word, over the same utterances in one order."""
    return changes(*([scored.pairs for scored in one.utterances] for one in (before, after)))


def worst_first(evaluation: Evaluation) -> Sequence[int]:
    """Places of the utterances, those with most wrong words first; of equals, the shorter."""
    utterances = evaluation.utterances
    return sorted(
        range(len(utterances)),
        key=lambda place: (-utterances[place].words.errors, utterances[place].words.num_reference),
    )
