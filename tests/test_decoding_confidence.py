"""Calibrated confidences: what is fitted is what was there, and nothing diverges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding.confidence import (
    Bin,
    Calibration,
    expected_calibration_error,
    fit,
    log_loss,
    reliability,
)


def test_a_calibration_is_a_sigmoid_of_the_logit():
    calibration = Calibration(slope=0.5, intercept=-1.0)
    assert calibration(0.5) == pytest.approx(1 / (1 + math.exp(1.0)))
    assert calibration(0.9) == pytest.approx(1 / (1 + math.exp(1.0 - 0.5 * math.log(9))))
    assert Calibration()(0.37) == pytest.approx(0.37)


@given(st.floats(0, 1), st.floats(-20, 20), st.floats(-20, 20))
def test_a_confidence_stays_one(raw, slope, intercept):
    assert 0 <= Calibration(slope, intercept)(raw) <= 1


def simulated(count: int, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    """Words that are right as often as this calibration says."""
    rng = np.random.default_rng(3)
    raw = rng.uniform(0.05, 0.999, count)
    truth = [Calibration(slope, intercept)(one) for one in raw]
    return raw, rng.uniform(size=count) < truth


def test_what_is_fitted_is_what_was_there():
    raw, correct = simulated(20000, 0.6, -0.8)
    found = fit(raw, correct)
    assert (found.slope, found.intercept) == pytest.approx((0.6, -0.8), abs=0.05)
    calibrated = [found(one) for one in raw]
    assert expected_calibration_error(raw, correct) > 0.15
    assert expected_calibration_error(calibrated, correct) < 0.015


@pytest.mark.parametrize("right", [True, False])
def test_where_all_words_are_alike_it_stays_finite(right):
    found = fit([0.99, 0.7, 1.0, 0.0], [right] * 4)
    assert abs(found.slope) < 10
    assert abs(found.intercept) < 10
    assert (found(0.5) > 0.5) == right, "it moves to what was seen"
    assert fit([], []) == Calibration()


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30))
def test_any_dev_set_can_be_fitted(words):
    found = fit([raw for raw, _ in words], [correct for _, correct in words])
    assert math.isfinite(found.slope)
    assert math.isfinite(found.intercept)


def test_the_calibration_error_is_the_mean_distance():
    confidences, correct = [0.95, 0.95, 0.95, 0.95, 0.15, 1.0], [True, True, True, False, True, True]
    # Four of 0.95 and one of 1.0 share a bin: 0.96 against 4 of 5; one of 0.15 against 1 of 1.
    assert reliability(confidences, correct) == [Bin(1, 0.15, 1.0), Bin(5, pytest.approx(0.96), 0.8)]
    expected = 5 / 6 * 0.16 + 1 / 6 * 0.85
    assert expected_calibration_error(confidences, correct) == pytest.approx(expected)
    assert expected_calibration_error([], []) == 0.0
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0.0


def test_the_log_loss_is_the_mean_surprise():
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.5)) / 3
    assert log_loss([0.9, 0.2, 0.5], [True, False, True]) == pytest.approx(expected)
    assert math.isfinite(log_loss([0.0, 1.0], [True, False]))
    assert log_loss([], []) == 0.0


def test_what_is_fitted_has_the_least_loss():
    raw, correct = simulated(400, 0.6, -0.8)
    found = fit(raw, correct)

    def loss(slope: float, intercept: float) -> float:
        return log_loss([Calibration(slope, intercept)(one) for one in raw], correct)

    best = loss(found.slope, found.intercept)
    for change in (-0.1, 0.1):
        assert best < loss(found.slope + change, found.intercept)
        assert best < loss(found.slope, found.intercept + change)
