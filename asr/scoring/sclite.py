"""NIST's alignment: a substitution costs 4, a deletion or an insertion 3, so that it prefers to keep words apart.

Of alignments with one price the choice is sclite's own (net_dp.c of SCTK): from the end, a pair before anything
else, then a deletion only where it is cheaper than an insertion. Upper and lower case differ, as with its option -s.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SUBSTITUTION, GAP = 4, 3


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Pairs of words; None where one has no partner."""
    prices = _prices(reference, hypothesis)
    pairs: list[tuple[str | None, str | None]] = []
    row, column = len(reference), len(hypothesis)
    while row and column:
        said, heard = reference[row - 1], hypothesis[column - 1]
        paired = prices[row - 1, column - 1] + (0 if said == heard else SUBSTITUTION)
        if paired == prices[row, column]:
            pairs.append((said, heard))
            row, column = row - 1, column - 1
        elif prices[row - 1, column] < prices[row, column - 1]:
            pairs.append((said, None))
            row -= 1
        else:
            pairs.append((None, heard))
            column -= 1
    pairs += [(word, None) for word in reversed(reference[:row])]
    pairs += [(None, word) for word in reversed(hypothesis[:column])]
    return pairs[::-1]


def _prices(reference: Sequence[str], hypothesis: Sequence[str]) -> NDArray[np.int64]:
    """(len(reference) + 1, len(hypothesis) + 1): of aligning the first words of one with the first of the other."""
    ids: dict[str, int] = {}
    said, heard = ([ids.setdefault(word, len(ids)) for word in words] for words in (reference, hypothesis))
    gaps = GAP * np.arange(len(heard) + 1)
    prices = np.empty((len(said) + 1, len(heard) + 1), np.int64)
    prices[0] = gaps
    for row, word in enumerate(said, 1):
        above = prices[row - 1]
        best = above + GAP
        paired = above[:-1] + np.where(np.equal(heard, word), 0, SUBSTITUTION)
        best[1:] = np.minimum(best[1:], paired)
        # Insertions run along the row: the cheapest place to begin them, and a gap for each word since.
        prices[row] = np.minimum.accumulate(best - gaps) + gaps
    return prices
