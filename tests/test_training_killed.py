"""A run killed at any moment, or out of room, ends as one that was left alone. ``make check-long`` kills more often."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from trainings import AUGMENT, left_behind, make_settings, train

import asr
from asr.settings import Settings, save_yaml

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and limits are Unix's")

KILLS = int(os.environ.get("ASR_KILLS", 3))
EPOCHS_A_KILL = 8
"""More than a run gets through before it is killed."""

EVERY_STEP = 1e-9

CHILD = """
import os, signal, sys
from asr.errors import AsrError
from asr.settings import Settings, build, load_yaml
from asr.training import train
from asr.training.module import CTCTraining
if sys.argv[2:] == ["die"]:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
elif sys.argv[2:]:
    take = CTCTraining._step
    def step(self):
        if self.global_step == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        take(self)
    CTCTraining._step = step
try:
    train(build(Settings, load_yaml(sys.argv[1])))
except AsrError as error:
    print(f"{type(error).__name__}: {error}")
"""


def start(settings: Settings, folder: Path, *arguments: str) -> subprocess.Popen:
    save_yaml(settings, folder / "asked.yaml")
    command = [sys.executable, "-c", CHILD, str(folder / "asked.yaml"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen, pattern: str) -> None:
    said = ""
    for line in process.stderr:
        said += line
        if re.search(pattern, line):
            return
    raise AssertionError(f"it ended without {pattern!r}: {said}")


def everything(tmp_path: Path, epochs: int) -> tuple[Settings, Settings]:
    """Settings with all that could forget something, and the same to be left alone elsewhere."""
    trainer = {
        "max_epochs": epochs,
        "accumulate": 2,
        "weight_noise": 0.01,
        "label_smoothing": 0.02,
        "ema": 0.9,
        "average": 2,
        "schedule": "plateau",
        "plateau_patience": 1,
    }
    asked = make_settings(tmp_path)(trainer=trainer, augment=AUGMENT, data={"num_workers": 2})
    data = dataclasses.replace(asked.data, num_workers=0)
    return asked, dataclasses.replace(asked, data=data, run_dir=str(tmp_path / "whole"))


def test_a_run_killed_at_random_moments_ends_as_one_that_was_left_alone(tmp_path):
    asked, whole = everything(tmp_path, EPOCHS_A_KILL * KILLS)
    rng = np.random.default_rng(KILLS)
    for number in range(KILLS):
        process = start(saving(asked, (EVERY_STEP, 0)[number % 2]), tmp_path)
        wait_for(process, "utterances, ")
        time.sleep(rng.uniform(0, 1.0))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it was faster than EPOCHS_A_KILL allows"
        whatever_there_is_can_be_used(Path(asked.run_dir))
    train(asked)
    train(whole)
    assert left_behind(asked) == left_behind(whole)


def saving(asked: Settings, minutes: float) -> Settings:
    return dataclasses.replace(asked, trainer=dataclasses.replace(asked.trainer, save_minutes=minutes))


def whatever_there_is_can_be_used(run: Path) -> None:
    if (run / "last.ckpt").exists():
        assert torch.load(run / "last.ckpt", weights_only=True)["state_dict"]
    if (run / "metrics.csv").exists():
        assert asr.load(run, device="cpu")


def test_a_run_killed_inside_an_epoch_goes_on_inside_it(tmp_path):
    asked, whole = everything(tmp_path, 3)
    asked = saving(asked, EVERY_STEP)
    # Three steps an epoch, of two batches, two and one: the fifth is the second of the second epoch.
    process = start(asked, tmp_path, "4")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    tally = torch.load(Path(asked.run_dir) / "last.ckpt", weights_only=True)["tally"]
    assert (tally["epoch"], tally["batches"]) == (1, 2)
    train(asked)
    train(whole)
    assert left_behind(asked) == left_behind(whole)


def room_for(size: int, process: subprocess.Popen) -> None:
    """From now on no file of the process may be larger: what a full disk does, to this process alone."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_a_state_that_is_half_written_is_never_read(tmp_path):
    asked, whole = everything(tmp_path, 8)
    process = start(asked, tmp_path, "die")
    wait_for(process, r"epoch +2/")
    state = Path(asked.run_dir) / "last.ckpt"
    size = state.stat().st_size // 2
    room_for(size, process)
    process.communicate()
    assert process.returncode == -signal.SIGXFSZ
    assert (state.parent / ".last.ckpt.partial").stat().st_size == size
    whatever_there_is_can_be_used(state.parent)
    train(asked)
    train(whole)
    assert left_behind(asked) == left_behind(whole)
    assert not (state.parent / ".last.ckpt.partial").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
@pytest.mark.parametrize("what", ["state", "model"])
def test_a_full_disk_ends_in_one_sentence_and_what_was_saved_stays(tmp_path, what):
    asked, whole = everything(tmp_path, 8)
    process = start(asked, tmp_path)
    wait_for(process, r"epoch +2/")
    run = Path(asked.run_dir)
    room_for((run / "last.ckpt").stat().st_size // 2 if what == "state" else 20_000, process)
    printed, errors = process.communicate()
    assert re.fullmatch(
        rf"CheckpointError: {re.escape(str(run))}/.*cannot be written \(.*\); make room.*\n", printed
    )
    if what == "state":
        assert f"{run}/last.ckpt: cannot" in printed
        assert printed.endswith("the same command goes on from the last saved state.\n")
    assert "Traceback" not in errors
    assert not list(run.glob(".*partial"))
    whatever_there_is_can_be_used(run)
    train(asked)
    train(whole)
    assert left_behind(asked) == left_behind(whole)
