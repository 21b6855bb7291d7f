import numpy as np
import pytest

from asr.learning_curve import forecast
from asr.scoring import Counts


def scored(rate: float, seed: int, utterances: int = 400, length: int = 50) -> list[Counts]:
    """Utterances with about this rate of errors."""
    errors = np.random.default_rng(seed).binomial(length, rate, utterances)
    return [Counts(hits=length - int(wrong), substitutions=int(wrong)) for wrong in errors]


def law(hours: list[float]) -> list[list[Counts]]:
    return [scored(0.2 * hour**-0.5, seed) for seed, hour in enumerate(hours)]


@pytest.mark.parametrize("hours", [[1.0, 2.0], [0.5, 1.0, 2.0]])
def test_a_power_law_is_carried_on(hours):
    found = forecast(hours, law(hours))
    assert found.falls
    assert found.interval.low <= 0.1 <= found.interval.high
    assert found.rate == pytest.approx(0.1, rel=0.1)
    assert found == forecast(hours, law(hours))


def test_fewer_test_utterances_make_it_less_certain():
    few = [row[:20] for row in law([1.0, 2.0])]
    wide, narrow = (forecast([1.0, 2.0], counts).interval for counts in (few, law([1.0, 2.0])))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_curve_that_does_not_fall_is_not_said_to():
    assert not forecast([1.0, 2.0], [scored(0.3, 1), scored(0.3, 1)]).falls
    assert not forecast([1.0, 2.0], [scored(0.3, 1), scored(0.4, 2)]).falls


@pytest.mark.parametrize("each", [Counts(hits=10), Counts(hits=7, substitutions=3)])
@pytest.mark.parametrize("hours", [[0.5, 1.0], [0.25, 0.5, 1.0]])
def test_what_rounding_makes_of_a_level_curve_is_no_fall(each, hours):
    assert not forecast(hours, [[each] * 20] * len(hours)).falls


def test_the_last_errors_that_vanish_are_a_fall():
    assert forecast([0.5, 1.0], [scored(0.1, 1), [Counts(hits=50)] * 400]).falls


def test_no_error_at_all_and_nothing_but_errors_stay_rates():
    perfect = [Counts(hits=10)] * 5
    assert 0 < forecast([1.0, 2.0], [scored(0.1, 1, 5, 10), perfect]).rate < 0.02
    assert forecast([1.0, 2.0], [scored(0.5, 1), scored(0.95, 2)]).rate == 1.0
