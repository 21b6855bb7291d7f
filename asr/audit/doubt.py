"""From evidence to doubt: how much likelier a text is one that was made wrong than one that stands as it was written.

For each fault there is a logistic regression on the corpus' own texts and on texts made wrong so; a text may have any
of the faults, so the likelihood ratios are added. What a weak model, a child or a long sentence does to the evidence is
in both sides of each comparison, and so is nobody's fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.audit.evidence import Evidence

Array = NDArray[np.float64]

RIDGE = 1.0
"""What moving a weight by 1 costs, in halves of a nat; the measures are standardised."""
FURTHEST = 6.0
"""Standard deviations; what is further off says no more."""
MARGIN, RATE = 7, 8
"""Where these stand among the measures."""
FEWEST = 5
"""Utterances of a speaker that have a median of their own."""


def measures(evidence: Evidence, seconds: float, heard: str) -> list[float]:
    """The numbers that doubt is made of: larger ones are better, but for the rate and the length of what was heard."""
    characters = max(1, len(" ".join(evidence.tokens)))
    return [
        _signed_root(evidence.whole),
        _signed_root(evidence.whole / characters),
        _signed_root(min(evidence.words)),
        float(np.mean([_signed_root(one) for one in evidence.words])),
        _signed_root(min(evidence.gaps)),
        _signed_root(min(evidence.needless)),
        -evidence.margin * evidence.frames / characters,
        -evidence.margin,
        float(np.log(characters / max(seconds, 0.1))),
        float(np.log((1 + characters) / (1 + len(heard)))),
    ]


def _signed_root(value: float) -> float:
    """Evidence grows with length and has long tails."""
    return float(np.sign(value) * np.sqrt(abs(value)))


@dataclass(frozen=True)
class Scale:
    """What is usual: in the corpus, and of each speaker."""

    middle: Array
    spread: Array
    speakers: Mapping[str, Array]
    """The median of each who has enough utterances, standardised."""

    @classmethod
    def of(cls, rows: Array, speakers: Sequence[str | None]) -> "Scale":
        """Of ``rows (num_utterances, num_measures)`` of texts as they are."""
        middle = np.median(rows, axis=0)
        spread = np.maximum(1.4826 * np.median(abs(rows - middle), axis=0), 1e-6)
        known = {
            speaker: [n for n, one in enumerate(speakers) if one == speaker] for speaker in set(speakers)
        }
        return cls(
            middle,
            spread,
            {
                speaker: np.median((rows[own] - middle) / spread, axis=0)
                for speaker, own in known.items()
                if speaker is not None and len(own) >= FEWEST
            },
        )

    def __call__(self, rows: Array, speakers: Sequence[str | None]) -> Array:
        """Each measure against the corpus and against its speaker, and how far each is off either way."""
        standard = (rows - self.middle) / self.spread
        usual = np.array([self.speakers.get(one or "", np.zeros(rows.shape[1])) for one in speakers])
        both = np.hstack([standard, standard - usual.reshape(standard.shape)]).clip(-FURTHEST, FURTHEST)
        return np.hstack([both, both**2 / FURTHEST])

    def rate(self, row: Array) -> float:
        """How far characters a second are from the corpus' median, in a scaled row."""
        return float(row[RATE])

    def fit(self, row: Array) -> float:
        """How far the path's margin is from the speaker's median, or else the corpus', in a scaled row."""
        return float(row[len(self.middle) + MARGIN])


@dataclass(frozen=True)
class Doubt:
    """The regressions, one for each fault."""

    weights: Mapping[str, Array]
    """The last of each is the intercept."""

    @classmethod
    def learn(cls, right: Array, wrong: Mapping[str, Array]) -> "Doubt":
        """From scaled measures of texts as they are, and of texts with each fault."""
        return cls({fault: _regress(right, rows) for fault, rows in wrong.items()})

    def __call__(self, rows: Array) -> dict[str, Array]:
        """Of each fault the log of its likelihood ratio, a row."""
        return {fault: rows @ weights[:-1] + weights[-1] for fault, weights in self.weights.items()}


def together(ratios: Mapping[str, Array]) -> Array:
    """The log of the mean of the faults' likelihood ratios."""
    found: Array = np.logaddexp.reduce(list(ratios.values()), axis=0) - np.log(len(ratios))
    return found


def _regress(right: Array, wrong: Array) -> Array:
    """Weights, intercept last, by Newton's steps; both sides count the same."""
    inputs = np.vstack([np.hstack([side, np.ones((len(side), 1))]) for side in (right, wrong)])
    targets = np.repeat([0.0, 1.0], [len(right), len(wrong)])
    counts = np.repeat([0.5 / len(right), 0.5 / len(wrong)], [len(right), len(wrong)]) * len(wrong)
    ridge = RIDGE * np.eye(inputs.shape[1])
    weights = np.zeros(inputs.shape[1])
    for _ in range(20):
        chances = 1 / (1 + np.exp(-(inputs @ weights).clip(-30, 30)))
        slope = inputs.T @ (counts * (chances - targets)) + ridge @ weights
        curvature = (inputs * (counts * chances * (1 - chances))[:, None]).T @ inputs + ridge
        weights -= np.linalg.solve(curvature, slope)
    return weights
