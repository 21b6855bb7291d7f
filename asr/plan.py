"""From how much speech there is, and how many minutes, to the settings of a training: arithmetic, and one question.

The question is how fast this machine trains with some settings; who asks for a plan brings what answers it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from asr import audio
from asr.errors import AudioError
from asr.feature_settings import FeatureSettings
from asr.inputs import recording
from asr.manifest import Utterance
from asr.text import TextSettings, frames_needed, normalize

FEWEST_EPOCHS, ENOUGH_EPOCHS, MOST_EPOCHS = 15, 20, 100
"""Below the first a training is cut short; from the second on dearer augmentation is worth its time."""
FEWEST_STEPS = 3000
"""Steps that even a few minutes of speech get: CTC spends hundreds on finding out that there is more than blanks."""
RESERVE = 0.12
"""Share of the minutes that reading, tuning and scoring get."""
HEARING = 1 / 3
"""Of the time of training on some speech, what hearing it takes."""
EPOCH_SECONDS = 1.0
"""What every epoch takes besides: scoring begins, models are saved."""
CURVES: Mapping[tuple[float, ...], int] = {(0.5, 0.25): 40, (0.5,): FEWEST_EPOCHS}
"""Parts that are trained on too, and the epochs that the whole must keep for that."""
SMALL_HOURS, LARGE_HOURS = 1 / 3, 20.0
MOST_TOO_LONG = 0.005
"""Share of the utterances that a longer stride may cost."""
FASTEST_SPEED = 1.1
"""Of the speeds that augmentation plays at."""
MOST_LETTERS, MOST_UNKNOWN = 14.0, 0.35
"""Of words that a model of words can be made of: their mean length, and the share of dev's that train has not."""
AUGMENTATIONS = (
    ("augment=full",),
    ("augment=spec", "augment.speed_min=0.9", f"augment.speed_max={FASTEST_SPEED}"),
    ("augment=spec",),
)
"""From the best to the quickest."""

Measure = Callable[[Sequence[str]], float]
"""Seconds of speech that a training with these overrides gets through in a second."""


@dataclass(frozen=True)
class Speech:
    """What there is to train on, as far as settings depend on it."""

    hours: float
    utterances: int
    dev_hours: float
    sample_rate: int
    """Hz; what most of the recordings have."""
    too_long: Mapping[int, float]
    """For each stride, the share of the utterances whose texts have more letters than frames are left."""


@dataclass(frozen=True)
class Plan:
    """The settings, and how long they will take."""

    overrides: tuple[str, ...]
    epochs: int
    curve: tuple[float, ...]
    """Parts of the training set that models of their own learn from, for as many epochs."""
    speed: float
    """Seconds of speech a second of training, measured."""
    minutes: float
    """Of training on all."""
    curve_minutes: float
    wanted_minutes: float
    """Budget with which FEWEST_EPOCHS would fit; that of the plan where they do."""


def make_plan(speech: Speech, minutes: float, measure: Measure, *, bf16: bool, curve: bool = True) -> Plan:
    """The best settings of which enough epochs fit into the minutes, with as many epochs as fit."""
    for overrides in candidates(speech, bf16=bf16):
        speed = measure(overrides)
        if _epochs(speech, minutes, speed, ()) >= ENOUGH_EPOCHS:
            break
    options = CURVES if curve else {}
    fitting = (
        shares for shares, least in options.items() if _epochs(speech, minutes, speed, shares) >= least
    )
    shares = next(fitting, ())
    epochs = _epochs(speech, minutes, speed, shares)
    schedule = (f"trainer.max_epochs={epochs}", f"trainer.warmup_epochs={max(1, epochs / 10):g}")
    wanted = FEWEST_EPOCHS * _epoch_minutes(speech, speed, 1.0) / (1 - RESERVE)
    return Plan(
        overrides=(*overrides, *schedule),
        epochs=epochs,
        curve=shares,
        speed=speed,
        minutes=epochs * _epoch_minutes(speech, speed, 1.0),
        curve_minutes=epochs * sum(_epoch_minutes(speech, speed, share) for share in shares),
        wanted_minutes=max(minutes, wanted),
    )


def candidates(speech: Speech, *, bf16: bool) -> list[tuple[str, ...]]:
    """Overrides from those that should do best to the quickest."""
    stride = 4 if speech.too_long[4] <= MOST_TOO_LONG else 2
    small = ("model=small", f"model.subsampling={stride}")
    common = (
        "features=mfcc_8k" if speech.sample_rate < 16000 else "features=mfcc",
        f"trainer.precision={'bf16' if bf16 else '32'}",
        f"data.batch_utterances={batch_utterances(speech.utterances)}",
    )
    if speech.hours < SMALL_HOURS:
        return [(*common, "model=small", *augmentation) for augmentation in AUGMENTATIONS]
    size: tuple[str, ...] = ("model=bilstm", f"model.subsampling={stride}")
    if speech.hours >= LARGE_HOURS:
        size = (*size, "model.num_layers=4", "model.hidden_size=320")
    dearer = [(*common, *size, *augmentation) for augmentation in AUGMENTATIONS]
    return [*dearer, (*common, *small, *AUGMENTATIONS[-1])]


def batch_utterances(utterances: int) -> int:
    """A small set has small batches, or too few steps: 8 of 600 utterances, 16 of 2,400, 64 at most."""
    return min(64, max(4, round(math.sqrt(utterances) / 3)))


def survey(train: Sequence[Utterance], dev: Sequence[Utterance], text: TextSettings) -> Speech:
    """What a training set is, from its texts, its durations and the headers of some fifty recordings."""
    rates = [rate for one in train[:: len(train) // 50 + 1] if (rate := _rate(one)) is not None]
    return Speech(
        hours=sum(one.duration for one in train) / 3600,
        utterances=len(train),
        dev_hours=sum(one.duration for one in dev) / 3600,
        sample_rate=sorted(rates)[len(rates) // 2] if rates else 16000,
        too_long={stride: too_long(train, stride, text) for stride in (2, 4)},
    )


def too_long(utterances: Sequence[Utterance], stride: int, text: TextSettings) -> float:
    """The share of the utterances whose texts CTC could not write at this stride, played at the fastest speed."""
    lost, features = 0, FeatureSettings()
    for one in utterances:
        frames = features.num_frames(int(one.duration / FASTEST_SPEED * features.sample_rate))
        lost += frames_needed(normalize(one.text, text)) > -(-frames // stride)
    return lost / len(utterances)


def language_model_units(
    train: Sequence[str], dev: Sequence[str], text: TextSettings = TextSettings()
) -> tuple[str, str]:
    """``words`` or ``characters``, and why: sentences train, on whose words the choice for dev is made."""
    known = {word for line in train for word in normalize(line, text).split()}
    words = [word for line in dev for word in normalize(line, text).split()]
    letters = sum(map(len, words)) / max(len(words), 1)
    unknown = sum(word not in known for word in words) / max(len(words), 1)
    if letters > MOST_LETTERS:
        return (
            "characters",
            f"{letters:.0f} characters stand between two spaces: no words as others write them",
        )
    if unknown > MOST_UNKNOWN:
        return "characters", f"{100 * unknown:.0f} % of dev's words are in no training text"
    return "words", f"{100 * unknown:.0f} % of dev's words are in no training text"


def _rate(utterance: Utterance) -> int | None:
    try:
        return audio.sample_rate(recording(utterance))
    except AudioError:  # the training names it
        return None


def _epochs(speech: Speech, minutes: float, speed: float, shares: Sequence[float]) -> int:
    """How many fit, of all and as many of each share; at least one."""
    steps = max(1, speech.utterances // batch_utterances(speech.utterances))
    most = max(MOST_EPOCHS, math.ceil(FEWEST_STEPS / steps))
    one = sum(_epoch_minutes(speech, speed, share) for share in (1.0, *shares))
    return max(1, min(most, int((1 - RESERVE) * minutes / one)))


def _epoch_minutes(speech: Speech, speed: float, share: float) -> float:
    seconds = 3600 * (share * speech.hours + HEARING * speech.dev_hours)
    return (seconds / speed + EPOCH_SECONDS) / 60
