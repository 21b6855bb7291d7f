"""One training on two processes, started by torchrun as a user would: the same curve, the same end, no hanging."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from toys import RATE, utter
from trainings import AUGMENT, left_behind, make_settings, rows, train, without_seconds

import asr
from asr.augment import AugmentSettings, mask_features
from asr.evaluation import evaluate
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.settings import Settings, to_dict
from asr.training.card import _leaves, _spelled

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one worker is found in /proc, to be killed")

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LOST = r"asr: A worker was lost, so process \d of 2 stops \(.+\); the same command goes on after the last whole epoch\."


def start(settings: Settings, *options: str) -> subprocess.Popen:
    overrides = [f"{key}={_spelled(value)}" for key, value in _leaves(to_dict(settings))]
    command = [*TORCHRUN, "-m", "asr", "train", *overrides, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> tuple[str, str]:
    printed, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    return printed, said


def wait_for(process: subprocess.Popen, pattern: str) -> str:
    said = ""
    for line in process.stderr:
        said += line
        if re.search(pattern, line):
            return said
    raise AssertionError(f"it ended without {pattern!r}: {said}")


def worker(process: subprocess.Popen, rank: int) -> int:
    """The process that torchrun has started for a rank."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            parent = re.search(r"^PPid:\t(\d+)", (folder / "status").read_text(), re.MULTILINE)[1]
        except OSError:
            continue
        if int(parent) == process.pid and f"RANK={rank}".encode() in environment:
            return int(folder.name)
    raise AssertionError(f"there is no worker {rank}")


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Settings:
    """All that could differ, but for dropout; batches of one utterance too, and one with an infinite loss."""
    folder = tmp_path_factory.mktemp("shared")
    trainer = {"accumulate": 2, "ema": 0.9, "average": 2, "weight_noise": 0.01, "max_epochs": 6, "patience": 5}
    asked = make_settings(folder)(
        trainer=trainer, augment=AUGMENT, model={"dropout": 0.0}, data={"batch_seconds": 2.5}, run_dir=folder / "one"
    )
    soundfile.write(folder / "lie.wav", utter("a")[:800], RATE)
    lie = Utterance(str(folder / "lie.wav"), 1.5, "ab cd ab cd ab")
    write_manifest(asked.data.train, [*read_manifest(asked.data.train), lie])
    return asked


@pytest.fixture(scope="module")
def alone(asked) -> list[dict[str, float]]:
    train(asked)
    return without_seconds(rows(asked))


@pytest.fixture(scope="module")
def two(asked) -> tuple[Settings, str, str]:
    """Settings of a run on two processes that nobody has disturbed, and what it printed on stdout and stderr."""
    settings = dataclasses.replace(asked, run_dir=f"{asked.run_dir}-two")
    return settings, *finish(start(settings))


def assert_same_curve(table, other) -> None:
    assert len(table) == len(other)
    for row, theirs in zip(table, other, strict=True):
        assert row["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
        for key in ("epoch", "dev_wer", "dev_cer", "dev_empty", "learning_rate", "left_out"):
            assert row[key] == theirs[key], key


def test_two_processes_give_the_curve_of_one(asked, alone, two):
    settings, printed, said = two
    assert_same_curve(without_seconds(rows(settings)), alone)
    assert [row["left_out"] for row in alone] == [1, 2, 3, 4, 5, 6]
    assert alone[-1]["loss"] < alone[0]["loss"] / 2
    # One of them speaks, but for what only the other knows.
    assert printed == f"{asr.checkpoint.resolve(settings.run_dir)}\n"
    assert len(re.findall(r"^epoch ", said, re.MULTILINE)) == 6
    assert len(re.findall(r"lie\.wav: its loss is not finite", said)) == 6
    assert {path.name for path in Path(settings.run_dir).iterdir()} == {
        path.name for path in Path(asked.run_dir).iterdir()
    }


def test_the_best_model_scores_what_both_counted_together(two):
    settings, _, said = two
    evaluation = evaluate(asr.load(settings.run_dir, device="cpu"), read_manifest(settings.data.dev))
    assert f"best dev WER {100 * evaluation.words.rate:.2f} %" in said


@pytest.mark.parametrize("rank", [0, 1])
def test_a_lost_worker_ends_the_run_which_then_goes_on(asked, alone, two, rank):
    settings = dataclasses.replace(asked, run_dir=f"{asked.run_dir}-lost-{rank}")
    process = start(settings)
    said = wait_for(process, r"epoch +2/")
    os.kill(worker(process, rank), signal.SIGKILL)
    said += process.communicate(timeout=100)[1]
    assert process.returncode == 1
    assert re.search(LOST, said), said
    assert "epoch   6/6" not in said
    assert 2 <= len(rows(settings)) < 6
    if rank:
        finish(start(settings))
        assert left_behind(settings) == left_behind(two[0])
    else:
        train(settings)  # on one process
        assert_same_curve(without_seconds(rows(settings)), alone)
