"""Word confidences that mean what they say: of the words given 0.8, eight in ten are right.

A decoder's raw confidence orders words well and is too sure of itself; a sigmoid of two numbers, fitted on a dev
set, corrects that (Platt 1999, with the prior of its targets). How far off confidences are is the expected
calibration error (Guo et al. 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SUREST = 1.0 - 1e-6
"""No confidence is taken for surer than this, nor for less sure than its opposite: 1 has no logit."""
STRENGTH = 1.0
"""What it costs, in nats, to move slope or intercept from the identity by sqrt(2)."""


@dataclass(frozen=True)
class Calibration:
    """From a raw confidence to one that holds: sigmoid(slope * logit(raw) + intercept)."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, raw: float) -> float:
        """The confidence in [0, 1] of a raw one in [0, 1]."""
        score = self.slope * float(_logits([raw])[0]) + self.intercept
        return float(np.exp(-np.logaddexp(0, -score)))


@dataclass(frozen=True)
class Bin:
    """Words of like confidence, as a reliability diagram shows them."""

    count: int
    confidence: float
    """Their mean confidence."""
    accuracy: float
    """The share of them that is right."""


def fit(raw: Sequence[float], correct: Sequence[bool]) -> Calibration:
    """The calibration under which ``correct`` is likeliest, by Newton's method; without any word, the identity.

    A weak pull to the identity keeps it finite where all words are right, or all equally sure.
    """
    inputs = np.stack([_logits(raw), np.ones(len(raw))], axis=1)
    right = np.asarray(correct, bool)
    # Platt's targets: as if one more word of each kind had been seen.
    targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    weights, identity = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    for _ in range(100):
        predicted = np.exp(-np.logaddexp(0, -(inputs @ weights)))
        gradient = inputs.T @ (predicted - targets) + STRENGTH * (weights - identity)
        curvature = (inputs.T * (predicted * (1 - predicted))) @ inputs + STRENGTH * np.eye(2)
        step = _shortened(np.linalg.solve(curvature, gradient), weights, inputs, targets)
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    return Calibration(float(weights[0]), float(weights[1]))


def reliability(confidences: Sequence[float], correct: Sequence[bool], num_bins: int = 10) -> list[Bin]:
    """The words in ``num_bins`` equal parts of [0, 1]; parts without any word are left out."""
    sure, right = np.asarray(confidences, float), np.asarray(correct, bool)
    part = np.minimum((sure * num_bins).astype(int), num_bins - 1)
    inside = [part == index for index in range(num_bins)]
    return [Bin(int(i.sum()), float(sure[i].mean()), float(right[i].mean())) for i in inside if i.any()]


def expected_calibration_error(
    confidences: Sequence[float], correct: Sequence[bool], num_bins: int = 10
) -> float:
    """How far confidence and share of right words lie apart, on average over words; 0 is perfect."""
    bins = reliability(confidences, correct, num_bins)
    apart = sum(part.count * abs(part.confidence - part.accuracy) for part in bins)
    return apart / max(len(confidences), 1)


def log_loss(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Nats a word of surprise at what is right and what is wrong: unlike the error above it needs no bins."""
    signs = np.where(np.asarray(correct, bool), 1.0, -1.0)
    return float(np.logaddexp(0, -signs * _logits(confidences)).sum()) / max(len(signs), 1)


def _logits(raw: Sequence[float]) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(raw, float), 1 - SUREST, SUREST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _shortened(
    step: NDArray[np.float64],
    weights: NDArray[np.float64],
    inputs: NDArray[np.float64],
    targets: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The step, halved until it does not climb: Newton's own may overshoot where the curve is flat."""
    here = _loss(weights, inputs, targets)
    for _ in range(50):
        if _loss(weights - step, inputs, targets) <= here:
            break
        step = step / 2
    return step


def _loss(weights: NDArray[np.float64], inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    scores = inputs @ weights
    pull = STRENGTH / 2 * ((weights[0] - 1) ** 2 + weights[1] ** 2)
    return float(np.sum(np.logaddexp(0, scores) - targets * scores) + pull)
