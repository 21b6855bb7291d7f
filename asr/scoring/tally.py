"""What went wrong how often: confusions, deletions and insertions of words, or of characters."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from asr.scoring.alignment import Pair


@dataclass(frozen=True)
class Tally:
    """How often each thing happened over a test set."""

    hits: Counter[str] = field(default_factory=Counter)
    substitutions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By what was said and what was heard."""
    deletions: Counter[str] = field(default_factory=Counter)
    insertions: Counter[str] = field(default_factory=Counter)

    @property
    def words(self) -> list["WordTally"]:
        """Every word that was said or heard, those with most errors first."""
        said, heard = self.hits + self.deletions, self.hits + self.insertions
        for (one, other), times in self.substitutions.items():
            said[one] += times
            heard[other] += times
        words = [WordTally(word, self.hits[word], said[word], heard[word]) for word in said | heard]
        return sorted(words, key=lambda one: (-one.errors, one.word))


@dataclass(frozen=True)
class WordTally:
    """One word in references and hypotheses."""

    word: str
    hits: int
    said: int
    """Times in the references."""
    heard: int
    """Times in the hypotheses."""

    @property
    def errors(self) -> int:
        """Times that it was missed, and times that it was heard wrongly."""
        return self.said + self.heard - 2 * self.hits


def tally(alignments: Iterable[Iterable[Pair]]) -> Tally:
    """Count over the alignments of many utterances."""
    found = Tally()
    for pairs in alignments:
        for said, heard in pairs:
            if said is None or heard is None:
                missing, word = (found.insertions, heard) if said is None else (found.deletions, said)
                missing[word or ""] += 1
            elif said == heard:
                found.hits[said] += 1
            else:
                found.substitutions[said, heard] += 1
    return found


def most_common(counter: Counter[Any], most: int | None = None) -> list[tuple[Any, int]]:
    """The most frequent first; of equals, in the order of their letters, so that one test set gives one list."""
    return sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))[:most]
