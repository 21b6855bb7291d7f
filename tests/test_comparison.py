"""Two systems, and whether one is really better."""

import dataclasses

import numpy as np
import pytest
from evaluations import evaluation

from asr import scoring
from asr.comparison import compare, difference
from asr.errors import ManifestError
from asr.evaluation import Evaluation, Setup

SAID = ["one two three", "four", "five six", "seven eight nine ten"]
WORSE = ["one too three", "for", "five", "seven eight nine ten"]
BETTER = ["one two three", "for", "five six", "seven ate nine ten"]


def heard(texts: list[str], said: list[str] = SAID, **options) -> Evaluation:
    return evaluation(list(zip(said, texts, strict=True)), **options)


def many(rate: float, seed: int, count: int = 200) -> Evaluation:
    rng = np.random.default_rng(seed)
    rows = [("a b c d e", " ".join("x" if rng.random() < rate else c for c in "abcde")) for _ in range(count)]
    return evaluation(rows, speakers=[f"s{number % 8}" for number in range(count)])


def test_the_difference_is_paired():
    found = difference(many(0.1, 1), many(0.3, 2))
    assert found.wer == pytest.approx(-0.2, abs=0.04)
    assert found.interval.low < found.wer < found.interval.high < 0
    assert found.over_speakers.high < 0
    assert (found.improvement, found.p_value) == (1.0, 0.0)
    assert found.matched_pairs.p_value < 1e-6


def test_a_difference_the_other_way_round_is_its_mirror():
    one, other = many(0.1, 1), many(0.12, 2)
    there, back = difference(one, other), difference(other, one)
    assert there.wer == -back.wer
    assert there.improvement + back.improvement == pytest.approx(1.0, abs=0.02)
    assert there.p_value == pytest.approx(back.p_value, abs=0.02)
    assert there.matched_pairs.z == pytest.approx(-back.matched_pairs.z)


def test_of_equal_systems_nothing_is_claimed():
    found = difference(many(0.1, 1), many(0.1, 1))
    assert (found.wer, found.improvement, found.p_value) == (0.0, 0.0, 1.0)
    assert found.matched_pairs.p_value == 1.0


def test_chance_is_found_as_often_as_it_says():
    # Two systems that are alike: a test at 0.05 errs about once in twenty.
    found = [difference(many(0.2, seed, 60), many(0.2, 100 + seed, 60)) for seed in range(60)]
    for name in ("p_value", "matched_pairs"):
        values = [getattr(one, name) for one in found]
        wrong = sum((value if name == "p_value" else value.p_value) < 0.05 for value in values)
        assert wrong <= 9


def test_utterances_are_put_into_one_order_and_what_changed_is_named():
    shuffled = heard(BETTER)
    shuffled = dataclasses.replace(shuffled, utterances=shuffled.utterances[::-1])
    comparison = compare({"worse": heard(WORSE), "better": shuffled})
    assert comparison.systems["better"].ids == comparison.baseline.ids == ["0", "1", "2", "3"]
    changed = comparison.changed("better")
    assert [(one.name, one.gain) for one in changed] == [("0", 1), ("2", 1), ("3", -1)]
    words = comparison.words("better")
    assert words.fixed == {("two", "too"): 1, ("six", None): 1}
    assert words.broken == {("eight", "ate"): 1}


def test_many_systems_are_each_compared_with_the_first():
    comparison = compare({"a": heard(WORSE), "b": heard(BETTER), "c": heard(SAID)})
    differences = comparison.differences()
    assert list(differences) == ["b", "c"]
    assert differences["c"].wer == -comparison.baseline.words.rate
    assert differences["b"].over_speakers is None


def test_no_utterance_at_all_is_no_difference():
    assert difference(Evaluation((), 0.0), Evaluation((), 0.0)).interval == scoring.Interval(0.0, 0.0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (heard(WORSE[:3], SAID[:3]), "b lacks 3. Score both on one test set."),
        (evaluation([(text, text) for text in (*SAID, "x")]), "a lacks 4"),
        (
            heard(WORSE, ["one two tree", *SAID[1:]]),
            "of 0 the references are 'one two three' and 'one two tree'",
        ),
        (heard(WORSE, setup=Setup(weights="sclite")), "jiwer's and sclite's alignment"),
    ],
)
def test_what_differs_is_refused_and_named(other, reason):
    with pytest.raises(ManifestError, match=r"^a and b cannot be compared") as raised:
        compare({"a": heard(WORSE), "b": other})
    assert reason in str(raised.value)
