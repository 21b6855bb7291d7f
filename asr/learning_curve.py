"""What more recordings would bring: error rates of models that had more and more of them, and a power law through.

    rate = a * hours ** -b

Learning curves are near to that over a wide middle (Hestness et al., "Deep learning scaling is predictable,
empirically", 2017), but not before a model has begun to learn, nor for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.scoring import Counts, Interval, percentiles, resample

Floats = NDArray[np.float64]

_HALF_AN_ERROR = 0.5
"""Added to every count, as a rate of 0 has no logarithm."""
_FALLING = -0.01
"""A slope with which twice the recordings save less than one error in a hundred; rounding alone makes one of -1e-17."""


@dataclass(frozen=True)
class Forecast:
    """The curve, carried on."""

    rate: float
    """Expected error rate; never above 1."""
    interval: Interval
    """95 % of what the same curve gives for other test utterances. What another training would change is not in it."""
    falls: bool
    """Whether more recordings have helped so far, in 95 % of these draws at least; without an error they have not."""


def forecast(
    hours: Sequence[float],
    counts: Sequence[Sequence[Counts]],
    factor: float = 2.0,
    *,
    num_samples: int = 2000,
    seed: int = 1,
) -> Forecast:
    """The rate at ``factor`` times the most hours.

    ``counts`` are those of each model over the same test utterances, which the bootstrap draws again and again.
    """
    errors = np.array([[one.errors for one in row] for row in counts], float)
    references = np.array([one.num_reference for one in counts[0]], float)
    log_hours = np.log(np.array(hours, float))
    target = float(log_hours.max() + np.log(factor))
    rate, _ = _carried_on(log_hours, errors.sum(1), references.sum(), target)
    sums = resample(np.vstack([errors, references]).T, num_samples=num_samples, seed=seed)
    curves = [_carried_on(log_hours, row[:-1], row[-1], target) for row in sums]
    rates, slopes = np.array(curves).T
    return Forecast(rate, percentiles(rates), bool(np.percentile(slopes, 95) < _FALLING))


def _carried_on(
    log_hours: Floats, errors: Floats, num_reference: float, target: float
) -> tuple[float, float]:
    """The rate at ``target`` of the line of least squares through the logarithms, and its slope."""
    rates = (errors + _HALF_AN_ERROR) / max(num_reference, 1.0)
    slope, at_zero = np.polyfit(log_hours, np.log(rates), 1)
    return min(1.0, float(np.exp(at_zero + slope * target))), float(slope)
