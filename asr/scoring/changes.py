"""What one system gets right that another got wrong, word by word, and the other way round."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from asr.scoring.alignment import Pair


@dataclass(frozen=True)
class Changes:
    """Between a system and the one after it; by what was said and what the wrong one heard instead."""

    fixed: Counter[Pair] = field(default_factory=Counter)
    """Wrong before and right after; (None, word) is an insertion that is gone."""
    broken: Counter[Pair] = field(default_factory=Counter)
    """Right before and wrong after."""


def changes(before: Iterable[Sequence[Pair]], after: Iterable[Sequence[Pair]]) -> Changes:
    """Over the alignments of two systems with the same references, utterance by utterance."""
    found = Changes()
    for one, other in zip(before, after, strict=True):
        for old, new in zip(_of_reference(one), _of_reference(other), strict=True):
            was_right, is_right = old[0] == old[1], new[0] == new[1]
            found.fixed[old] += is_right and not was_right
            found.broken[new] += was_right and not is_right
        inserted, inserting = _insertions(one), _insertions(other)
        found.fixed.update(inserted - inserting)
        found.broken.update(inserting - inserted)
    return Changes(+found.fixed, +found.broken)


def _of_reference(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair[0] is not None]


def _insertions(pairs: Sequence[Pair]) -> Counter[Pair]:
    return Counter(pair for pair in pairs if pair[0] is None)
