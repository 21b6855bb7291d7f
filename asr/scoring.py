"""Word and character error rates with their counts and their interval, on jiwer's alignment.

Counts are added over the test set and divided once; an empty hypothesis is so many deletions. The interval is
the percentile bootstrap over utterances (Bisani and Ney 2004).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import jiwer
import numpy as np


@dataclass(frozen=True)
class Counts:
    """What an alignment of reference and hypothesis found; adds up over utterances."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def num_reference(self) -> int:
        """Words (or characters) in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors a reference word; can exceed 1. Without a reference: 0, or infinity if there are errors."""
        if self.num_reference:
            return self.errors / self.num_reference
        return float("inf") if self.errors else 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of a rate."""

    low: float
    high: float


def count_words(reference: str, hypothesis: str) -> Counts:
    """Counts over white-space separated words."""
    return _counts(jiwer.process_words, reference, hypothesis)


def count_characters(reference: str, hypothesis: str) -> Counts:
    """Counts over characters, spaces included."""
    return _counts(jiwer.process_characters, reference, hypothesis)


def _counts(
    process: Callable[..., jiwer.WordOutput | jiwer.CharacterOutput], reference: str, hypothesis: str
) -> Counts:
    output = process(reference, hypothesis)
    return Counts(output.hits, output.substitutions, output.deletions, output.insertions)


def align(reference: str, hypothesis: str) -> list[tuple[str | None, str | None]]:
    """Pairs of reference and hypothesis words along the counted alignment; None where one has no partner."""
    output = jiwer.process_words(reference, hypothesis)
    pairs: list[tuple[str | None, str | None]] = []
    for chunk in output.alignments[0]:
        said = output.references[0][chunk.ref_start_idx : chunk.ref_end_idx]
        heard = output.hypotheses[0][chunk.hyp_start_idx : chunk.hyp_end_idx]
        pairs += zip_longest(said, heard)
    return pairs


def judge(reference: str, hypothesis: str) -> list[bool]:
    """Of each word of the hypothesis, whether it is right."""
    return [said == heard for said, heard in align(reference, hypothesis) if heard is not None]


def total(counts: Sequence[Counts]) -> Counts:
    """The counts of a whole test set."""
    return sum(counts, Counts())


def interval(counts: Sequence[Counts], *, num_samples: int = 2000, seed: int = 1) -> Interval:
    """The 95 % bootstrap interval of the error rate, resampling utterances; a seed gives one interval."""
    return _bootstrap([count.errors for count in counts], counts, num_samples, seed)


def difference(
    ours: Sequence[Counts], theirs: Sequence[Counts], *, num_samples: int = 2000, seed: int = 1
) -> Interval:
    """The 95 % paired bootstrap interval of our error rate minus theirs, over the same utterances in one order."""
    pairs = zip(ours, theirs, strict=True)
    return _bootstrap([our.errors - their.errors for our, their in pairs], ours, num_samples, seed)


def _bootstrap(errors: Sequence[int], counts: Sequence[Counts], num_samples: int, seed: int) -> Interval:
    if not counts:
        return Interval(0.0, 0.0)
    wrong = np.array(errors, float)
    words = np.array([count.num_reference for count in counts], float)
    rng = np.random.default_rng(seed)
    rates = []
    for _ in range(num_samples):
        # One sample at a time: all of them would take gigabytes on a large test set.
        drawn = rng.integers(len(counts), size=len(counts))
        rates.append(wrong[drawn].sum() / max(words[drawn].sum(), 1.0))
    low, high = np.percentile(rates, [2.5, 97.5])
    return Interval(float(low), float(high))


def wer_line(counts: Counts, measure: str = "WER") -> str:
    """Kaldi's line, which scripts read: ``%WER 7.28 [ 411 / 5643, 58 ins, 38 del, 315 sub ]``."""
    return (
        f"%{measure} {100 * counts.rate:.2f} [ {counts.errors} / {counts.num_reference}, "
        f"{counts.insertions} ins, {counts.deletions} del, {counts.substitutions} sub ]"
    )
