import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.config import compose
from asr.manifest import Utterance
from asr.plan import (
    AUGMENTATIONS,
    ENOUGH_EPOCHS,
    FEWEST_EPOCHS,
    FEWEST_STEPS,
    MOST_EPOCHS,
    Speech,
    batch_utterances,
    candidates,
    language_model_units,
    make_plan,
    survey,
    too_long,
)
from asr.settings import Settings
from asr.text import TextSettings

FOUR_HOURS = Speech(hours=3.3, utterances=1800, dev_hours=1 / 3, sample_rate=16000, too_long={2: 0.0, 4: 0.0})


def at(speed: float):
    """A machine that trains everything at one speed."""
    return lambda overrides: speed


def settings(overrides: tuple[str, ...]) -> Settings:
    return compose(["recipe=folder", *overrides])


def test_the_epochs_that_are_planned_fit_and_one_more_would_not():
    plan = make_plan(FOUR_HOURS, 60, at(130), bf16=True)
    one = plan.minutes / plan.epochs + plan.curve_minutes / plan.epochs
    assert plan.minutes + plan.curve_minutes <= 0.88 * 60 < (plan.epochs + 1) * one
    # An epoch: 3.3 h and a third of 20 minutes, at 130 seconds a second, and a second.
    assert plan.minutes == pytest.approx(plan.epochs * ((3.3 + 1 / 9) * 3600 / 130 + 1) / 60)
    assert plan.curve == (0.5,)
    assert plan.curve_minutes == pytest.approx(plan.epochs * ((1.65 + 1 / 9) * 3600 / 130 + 1) / 60)
    assert FEWEST_EPOCHS <= plan.epochs == settings(plan.overrides).trainer.max_epochs


@pytest.mark.parametrize(
    ("minutes", "curve", "asked"),
    [(600, (0.5, 0.25), True), (60, (0.5,), True), (30, (), True), (60, (), False)],
)
def test_the_curve_has_the_points_that_leave_enough_for_the_whole(minutes, curve, asked):
    assert make_plan(FOUR_HOURS, minutes, at(130), bf16=True, curve=asked).curve == curve


def test_without_the_curve_the_whole_gets_its_minutes():
    with_curve, without = (make_plan(FOUR_HOURS, 60, at(130), bf16=True, curve=one) for one in (True, False))
    assert without.epochs > 1.3 * with_curve.epochs
    assert without.curve_minutes == 0


def test_what_a_budget_cannot_hold_is_said_with_the_budget_that_would():
    short = make_plan(FOUR_HOURS, 10, at(100), bf16=True)
    assert short.epochs < FEWEST_EPOCHS
    assert short.minutes <= 10
    enough = make_plan(FOUR_HOURS, short.wanted_minutes + 0.1, at(100), bf16=True)
    assert enough.epochs == FEWEST_EPOCHS
    assert make_plan(FOUR_HOURS, 0.01, at(100), bf16=True).epochs == 1


def test_augmentation_is_given_up_before_the_network_is_made_smaller():
    def measure(overrides: tuple[str, ...]) -> float:
        tried.append(overrides)
        return speeds[len(tried) - 1]

    tried: list[tuple[str, ...]] = []
    speeds = [20.0, 30.0, 40.0, 200.0]
    plan = make_plan(FOUR_HOURS, 60, measure, bf16=True, curve=False)
    chosen = [settings(overrides) for overrides in tried]
    assert [one.model.hidden_size for one in chosen] == [256, 256, 256, 128]
    assert [one.augment.noise_probability > 0 for one in chosen] == [True, False, False, False]
    assert [one.augment.speed_max for one in chosen] == [1.1, 1.1, 1.0, 1.0]
    assert plan.overrides[: len(tried[-1])] == tried[-1]
    assert plan.speed == 200
    assert plan.epochs >= ENOUGH_EPOCHS
    tried, speeds = [], [130.0]
    assert make_plan(FOUR_HOURS, 60, measure, bf16=True).speed == 130


@pytest.mark.parametrize(
    ("hours", "utterances", "shape"),
    [(0.2, 150, (2, 128, 2)), (0.6, 350, (3, 256, 4)), (4.0, 2000, (3, 256, 4)), (30.0, 15000, (4, 320, 4))],
)
def test_the_network_grows_with_the_speech(hours, utterances, shape):
    speech = dataclasses.replace(FOUR_HOURS, hours=hours, utterances=utterances)
    model = settings(candidates(speech, bf16=False)[0]).model
    assert (model.num_layers, model.hidden_size, model.subsampling) == shape


def test_stride_rate_and_precision_follow_texts_recordings_and_processor():
    speech = dataclasses.replace(FOUR_HOURS, too_long={2: 0.0, 4: 0.006}, sample_rate=8000)
    for overrides in candidates(speech, bf16=True):
        chosen = settings(overrides)
        assert chosen.model.subsampling == 2
        assert chosen.features.sample_rate == 8000
        assert chosen.trainer.precision == "bf16"
    plain = settings(candidates(FOUR_HOURS, bf16=False)[0])
    assert (plain.features.sample_rate, plain.trainer.precision) == (16000, "32")
    assert len(candidates(FOUR_HOURS, bf16=False)) == len(AUGMENTATIONS) + 1


def test_a_few_minutes_of_speech_get_steps_enough_and_no_more_than_it_takes():
    tiny = Speech(hours=0.05, utterances=48, dev_hours=0.01, sample_rate=16000, too_long={2: 0, 4: 0})
    plan = make_plan(tiny, 600, at(1000), bf16=True)
    assert plan.epochs == FEWEST_STEPS // (48 // 4)
    half_an_hour = dataclasses.replace(tiny, hours=0.5, utterances=300)
    assert make_plan(half_an_hour, 600, at(1000), bf16=True).epochs == MOST_EPOCHS
    assert [batch_utterances(count) for count in (10, 576, 2304, 10**6)] == [4, 8, 16, 64]


def test_a_survey_hears_nothing_but_the_headers(tmp_path):
    train = []
    for index, rate in enumerate([8000, 8000, 16000]):
        path = tmp_path / f"{index}.wav"
        soundfile.write(path, np.zeros(rate), rate)
        train.append(Utterance(str(path), 1.0, "one two"))
    train.append(Utterance(str(tmp_path / "lost.wav"), 1.0, "one two"))
    speech = survey(train, train[:1], TextSettings())
    assert speech.hours == pytest.approx(4 / 3600)
    assert speech.dev_hours == pytest.approx(1 / 3600)
    assert (speech.utterances, speech.sample_rate) == (4, 8000)
    assert speech.too_long == {2: 0.0, 4: 0.0}


def test_too_long_counts_what_a_training_would_leave_out():
    # A second at the fastest speed has about 90 frames: 45 at stride 2 and 23 at stride 4.
    texts = ["a b " * 5, "ab" * 15, "aa" * 10]
    utterances = [Utterance("/x.wav", 1.0, text) for text in texts]
    assert too_long(utterances, 2, TextSettings()) == 0
    assert too_long(utterances, 4, TextSettings()) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("train", "dev", "units"),
    [
        (["the red house", "a blue river"], ["the blue house"], "words"),
        (["красный дом", "синяя река"], ["синий дом"], "characters"),
        (["今天天气很好我们去公园散步吧好吗"], ["今天天气很好我们去公园散步吧好吗"], "characters"),
        (["THE, RED"], ["the red!"], "words"),
    ],
)
def test_units_of_the_language_model(train, dev, units):
    chosen, why = language_model_units(train, dev)
    assert chosen == units
    assert why[0].isdigit()


def test_the_recipe_is_among_the_settings():
    assert (Path(__file__).parents[1] / "conf" / "recipe" / "folder.yaml").is_file()
    assert settings(()).text.unknown == "skip"
