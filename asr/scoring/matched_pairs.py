"""The matched-pairs sentence-segment word error test (MAPSSWE), as NIST's sc_stats makes it.

Gillick and Cox, "Some statistical issues in the comparison of speech recognition algorithms" (1989): sentences are
cut where both systems have two words right, so that the errors of one segment hardly depend on those of another;
whether the mean difference of errors in a segment is 0 is then a question for the normal distribution.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from asr.scoring.alignment import Pair

MIN_GOOD = 2
"""Words that both have right, one behind the other, between two segments."""


@dataclass(frozen=True)
class MatchedPairs:
    """What the test found; differences are the first system's errors minus the second's."""

    num_segments: int
    mean: float
    """Difference a segment."""
    deviation: float
    """Standard deviation of the differences."""
    z: float
    p_value: float
    """Two-sided."""

    @property
    def is_significant(self) -> bool:
        """At the level of 0.05."""
        return self.p_value < 0.05


def test(ours: Iterable[Sequence[Pair]], theirs: Iterable[Sequence[Pair]]) -> MatchedPairs:
    """Compare the alignments of two systems with the same references, utterance by utterance."""
    found = [our - their for one in zip(ours, theirs, strict=True) for our, their in segments(*one)]
    mean = fmean(found) if found else 0.0
    deviation = stdev(found) if len(found) > 1 else 0.0
    z = mean / deviation * math.sqrt(len(found)) if deviation else 0.0
    return MatchedPairs(len(found), mean, deviation, z, math.erfc(abs(z) / math.sqrt(2)))


def segments(ours: Sequence[Pair], theirs: Sequence[Pair]) -> Iterator[tuple[int, int]]:
    """The errors of both in each segment of an utterance; segments without errors are none."""
    our_errors = their_errors = good = 0
    for place, (our, their) in enumerate(zip(_errors(ours), _errors(theirs), strict=True)):
        is_word = place % 2
        good = 0 if our or their else good + is_word
        our_errors, their_errors = our_errors + our, their_errors + their
        if good == MIN_GOOD and (our_errors or their_errors):
            yield our_errors, their_errors
            our_errors = their_errors = 0
    if our_errors or their_errors:
        yield our_errors, their_errors


def _errors(pairs: Sequence[Pair]) -> list[int]:
    """Insertions before the first word, whether it is wrong, insertions before the second, and so on to the end."""
    errors = [0]
    for said, heard in pairs:
        if said is None:
            errors[-1] += 1
        else:
            errors += [int(said != heard), 0]
    return errors
