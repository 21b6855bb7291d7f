"""The weights of a recurrent language model chosen on a dev set, on the n best texts of a tuned beam.

The texts are made and scored once; a choice of share, alpha and beta is then arithmetic.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from asr.decoding.recurrent import Parts, RecurrentDecoder, RecurrentUse
from asr.dev_set import DevSet

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Of alpha."""
BONUSES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Added to beta."""
LEAST_ALPHA = 0.25
"""To begin with, where the first pass had no language model."""


def choose_use(dev: DevSet, decoder: RecurrentDecoder) -> RecurrentUse:
    """The weights nearest to the first pass's that are no more than a standard error worse than the best.

    Of those equally near the ones with fewest wrong words, then characters. A grid's best is partly luck: what lies
    within its noise says nothing against the weights at hand (the one standard error rule, Breiman et al. 1984).
    """
    texts = [decoder.take_apart(found) for found in dev.nbest(decoder, decoder.use.nbest)]
    wrong = [[dev.errors(index, one.hypothesis.text) for one in row] for index, row in enumerate(texts)]
    uses = list(_candidates(decoder))
    errors = np.array([_errors(texts, wrong, use) for use in uses])

    def rank(index: int) -> tuple[float, ...]:
        return _distance(uses[index], decoder), *errors[index].sum(0)

    return uses[min(as_good_as_the_best(errors), key=rank)]


def as_good_as_the_best(errors: NDArray[np.int64]) -> list[int]:
    """Which rows of (settings, utterances, words and characters) are within a standard error of the fewest words."""
    best = min(range(len(errors)), key=lambda index: tuple(errors[index].sum(0)))
    worse = errors[:, :, 0] - errors[best, :, 0]
    tied = worse.sum(1) <= np.sqrt(worse.shape[1]) * worse.std(1)
    return [int(index) for index in np.flatnonzero(tied)]


def _candidates(decoder: RecurrentDecoder) -> Iterator[RecurrentUse]:
    shares = SHARES if decoder.ngram is not None else (1.0,)
    alpha = max(decoder.settings.alpha, LEAST_ALPHA)
    for share, factor, bonus in product(shares, FACTORS, BONUSES):
        yield replace(decoder.use, share=share, alpha=alpha * factor, beta=decoder.settings.beta + bonus)


def _errors(
    texts: list[list[Parts]], wrong: list[list[tuple[int, int]]], use: RecurrentUse
) -> list[tuple[int, int]]:
    """Wrong words and characters of each utterance; none where nothing was found to choose from."""
    return [
        counts[int(np.argmax([parts.score(use) for parts in row]))] if row else (0, 0)
        for row, counts in zip(texts, wrong, strict=True)
    ]


def _distance(use: RecurrentUse, decoder: RecurrentDecoder) -> float:
    first = decoder.settings
    return abs(use.share - 0.5) + abs(use.alpha - first.alpha) + abs(use.beta - first.beta)
