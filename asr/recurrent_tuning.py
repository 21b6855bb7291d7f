"""The weights of a recurrent language model chosen on a dev set, on the n best texts of a tuned beam.

The texts are made and scored once; a choice of share, alpha and beta is then arithmetic.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

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
    """The weights of fewest wrong words, then characters, then nearest to the first pass's; a rescoring decoder's."""
    texts = [decoder.take_apart(found) for found in dev.nbest(decoder, decoder.use.nbest)]
    wrong = [[dev.errors(index, one.hypothesis.text) for one in row] for index, row in enumerate(texts)]
    errors = {use: _errors(texts, wrong, use) for use in _candidates(decoder)}
    return min(errors, key=lambda use: (*errors[use], _distance(use, decoder)))


def _candidates(decoder: RecurrentDecoder) -> Iterator[RecurrentUse]:
    shares = SHARES if decoder.ngram is not None else (1.0,)
    alpha = max(decoder.settings.alpha, LEAST_ALPHA)
    for share, factor, bonus in product(shares, FACTORS, BONUSES):
        yield replace(decoder.use, share=share, alpha=alpha * factor, beta=decoder.settings.beta + bonus)


def _errors(
    texts: list[list[Parts]], wrong: list[list[tuple[int, int]]], use: RecurrentUse
) -> tuple[int, int]:
    best = [
        counts[int(np.argmax([parts.score(use) for parts in row]))]
        for row, counts in zip(texts, wrong, strict=True)
        if row
    ]
    return sum(words for words, _ in best), sum(characters for _, characters in best)


def _distance(use: RecurrentUse, decoder: RecurrentDecoder) -> float:
    first = decoder.settings
    return abs(use.share - 0.5) + abs(use.alpha - first.alpha) + abs(use.beta - first.beta)
