"""One label a recording: how many are right, and which is taken for which."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from asr.scoring.bootstrap import Interval, interval
from asr.scoring.counts import Counts


@dataclass(frozen=True)
class Confusion:
    """Recordings by what they are and what they were taken for; "" for what could not be read."""

    pairs: tuple[tuple[str, str], ...]

    @property
    def labels(self) -> list[str]:
        """All that occur, sorted; what could not be read is no label."""
        return sorted({label for pair in self.pairs for label in pair} - {""})

    @property
    def num_right(self) -> int:
        """Recordings taken for what they are."""
        return sum(map(_is_right, self.pairs))

    @property
    def accuracy(self) -> float:
        """Their share."""
        return self.num_right / max(len(self.pairs), 1)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy, over recordings."""
        right = [int(_is_right(pair)) for pair in self.pairs]
        errors = interval([Counts(hits=one, substitutions=1 - one) for one in right])
        return Interval(1 - errors.high, 1 - errors.low)

    @property
    def matrix(self) -> list[list[int]]:
        """Row: what it is; column: what it was taken for; both in the order of ``labels``."""
        counts = Counter(self.pairs)
        return [[counts[label, heard] for heard in self.labels] for label in self.labels]


def _is_right(pair: tuple[str, str]) -> bool:
    label, heard = pair
    return label == heard != ""  # a text without letters is no label, and nothing heard is not it


def confusion(labels: Sequence[str], heard: Sequence[str]) -> Confusion:
    """Of as many recordings."""
    return Confusion(tuple(zip(labels, heard, strict=True)))
