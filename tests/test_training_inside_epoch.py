"""A training that was left inside an epoch goes on there, reads nothing again, and ends as one that was not left."""

import dataclasses
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest
import torch
from rich.console import Console
from trainings import AUGMENT, left_behind, make_settings, rows, train

import asr
from asr.errors import AudioError, ConfigError
from asr.settings import Settings
from asr.trainer_settings import TrainerSettings
from asr.training.module import CTCTraining
from asr.training.parts import Parts
from asr.training.tally import Mean, Tally

EVERY_STEP = 1e-9
ALL = {
    "accumulate": 2,
    "ema": 0.9,
    "average": 2,
    "weight_noise": 0.01,
    "label_smoothing": 0.02,
    "schedule": "plateau",
    "plateau_patience": 1,
}


class Crash(Exception):
    pass


def crash() -> None:
    raise Crash


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


@contextmanager
def before_batch(epoch: int, batch: int, happens: Callable[[], None]) -> Iterator[None]:
    """Inside, something happens before that batch of that epoch is trained on; both count from 0."""
    original = CTCTraining.training_step

    def training_step(self, examples, batch_idx):
        if (self.current_epoch, batch_idx) == (epoch, batch):
            happens()
        return original(self, examples, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CTCTraining, "training_step", training_step)
        yield


def left_alone(asked: Settings) -> Settings:
    """The same training in a folder of its own, which saves no state inside an epoch."""
    trainer = dataclasses.replace(asked.trainer, save_minutes=0)
    return dataclasses.replace(asked, run_dir=f"{asked.run_dir}-whole", trainer=trainer)


def tally(asked: Settings) -> dict:
    return torch.load(Path(asked.run_dir) / "last.ckpt", weights_only=True)["tally"]


def place(asked: Settings) -> tuple[int, int]:
    """The epoch that the state is of, from 0, and how many of its batches are done."""
    saved = tally(asked)
    return saved["epoch"], saved["batches"]


@pytest.mark.parametrize(("trainer", "num_workers"), [({}, 0), (ALL, 2)], ids=["plain", "all"])
def test_a_run_that_crashed_inside_its_epochs_ends_as_one_that_did_not(settings, trainer, num_workers):
    trainer = {"max_epochs": 3, "save_minutes": EVERY_STEP} | trainer
    asked = settings(augment=AUGMENT, trainer=trainer, data={"num_workers": num_workers})
    whole = left_alone(asked)
    train(whole)
    for epoch, batch in ((0, 3), (0, 4), (2, 2)):
        with before_batch(epoch, batch, crash), pytest.raises(Crash):
            train(asked)
        # Of two batches that make a step, the first alone is worth nothing.
        assert place(asked) == (epoch, batch - batch % asked.trainer.accumulate)
        assert len(rows(asked) if epoch else []) == epoch
        torch.manual_seed(batch)
    spent = tally(asked)["seconds"]
    train(asked)
    assert left_behind(asked) == left_behind(whole)
    assert rows(asked)[-1]["seconds"] > spent > 0


def test_what_has_been_heard_is_not_heard_again(settings):
    asked = settings(augment=AUGMENT, trainer={"max_epochs": 1})
    whole = left_alone(asked)
    train(whole)
    # Told to stop, it saves its state whatever trainer.save_minutes says.
    with before_batch(0, 2, interrupt):
        result, printed = train(asked)
    assert result.interrupted == signal.SIGINT
    assert "cut short" in printed
    assert asr.load(result.model_dir, device="cpu")
    assert not (Path(asked.run_dir) / "metrics.csv").exists()
    assert place(asked) == (0, 3)
    parts = Parts(asked, Console(file=io.StringIO()))
    for index in chain.from_iterable(parts.batches(0)[:3]):
        Path(parts.train[index].audio_filepath).write_bytes(b"no longer audio")
    result, _ = train(asked)
    assert not result.interrupted
    assert left_behind(asked) == left_behind(whole)
    with pytest.raises(AudioError):
        train(dataclasses.replace(asked, run_dir=f"{asked.run_dir}-again"))


def test_a_signal_inside_a_step_of_two_batches_waits_for_the_second(settings):
    asked = settings(trainer=ALL | {"max_epochs": 2}, data={"num_workers": 1})
    whole = left_alone(asked)
    train(whole)
    for (epoch, batch), saved in (((0, 2), (0, 4)), ((1, 1), (1, 2)), ((1, 4), (1, 5))):
        with before_batch(epoch, batch, interrupt):
            result, printed = train(asked)
        assert result.interrupted
        assert place(asked) == saved
        # Five batches are the whole epoch.
        assert ("cut short" in printed) == (batch != 4)
        assert len(rows(asked) if epoch else []) == saved[0] + (batch == 4)
    train(asked)
    assert left_behind(asked) == left_behind(whole)


def test_how_often_the_state_is_saved_may_change_and_not_inside_an_epoch_is_zero(settings):
    asked = settings(trainer={"max_epochs": 2, "save_minutes": 0})
    for epoch, minutes, saved in ((1, 0, (0, 5)), (1, 60, (0, 5)), (1, EVERY_STEP, (1, 4))):
        trainer = dataclasses.replace(asked.trainer, save_minutes=minutes)
        with before_batch(epoch, 4, crash), pytest.raises(Crash):
            train(dataclasses.replace(asked, trainer=trainer))
        assert place(asked) == saved
    with pytest.raises(ConfigError, match=r"trainer.save_minutes=-1 must not be negative"):
        TrainerSettings(save_minutes=-1)


def test_a_tally_by_hand():
    mean = Mean()
    assert mean.value != mean.value
    mean.add(2.0, 3)
    mean.add(torch.tensor(4.0), 1)
    assert mean.value == 2.5
    tally = Tally(epoch=3)
    assert tally.of(3) is tally
    tally.count_batch()
    first = tally.seconds
    tally.count_batch()
    assert tally.batches == 2
    assert tally.seconds > first > 0
    assert tally.of(4) == Tally(epoch=4)
