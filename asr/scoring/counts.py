"""What an alignment found, as numbers that add up."""

from collections.abc import Sequence
from dataclasses import dataclass


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
    def num_hypothesis(self) -> int:
        """Words (or characters) in the hypothesis."""
        return self.hits + self.substitutions + self.insertions

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors a reference word; can exceed 1. Without any reference the number of errors, as jiwer has it."""
        return self.errors / max(self.num_reference, 1)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def total(counts: Sequence[Counts]) -> Counts:
    """The counts of a whole test set."""
    return sum(counts, Counts())


def wer_line(counts: Counts, measure: str = "WER") -> str:
    """Kaldi's line, which scripts read: ``%WER 7.28 [ 411 / 5643, 58 ins, 38 del, 315 sub ]``."""
    return (
        f"%{measure} {100 * counts.rate:.2f} [ {counts.errors} / {counts.num_reference}, "
        f"{counts.insertions} ins, {counts.deletions} del, {counts.substitutions} sub ]"
    )
