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
from trainings import left_behind, make_settings, rows, train, without_seconds

import asr
from asr.augment import AugmentSettings, mask_features
from asr.evaluation import evaluate
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.settings import Settings, to_dict
from asr.training.card import _leaves, _spelled

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one worker is found in /proc, to be killed")

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LOST = r"asr: A worker was lost, so process \d of 2 stops \(.+\); the same command goes on from the last saved state\."


def start(settings: Settings, *options: str) -> subprocess.Popen:
    overrides = [f"{key}={_spelled(value)}" for key, value in _leaves(to_dict(settings))]
    command = [*TORCHRUN, "-m", "asr", "train", *overrides, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> tuple[str, str]:
    printed, said = process.communicate(timeout=300)
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
    """All that could differ, but for dropout; batches of one utterance, one infinite loss, five to score."""
    folder = tmp_path_factory.mktemp("shared")
    trainer = {
        "accumulate": 2,
        "ema": 0.5,
        "average": 2,
        "weight_noise": 0.01,
        "max_epochs": 10,
        "learning_rate": 1e-2,
    }
    asked = make_settings(folder)(
        trainer=trainer,
        augment=AugmentSettings(time_masks=1, feature_masks=1),
        model={"dropout": 0.0},
        data={"batch_seconds": 2.5},
        run_dir=folder / "one",
    )
    write_manifest(asked.data.dev, read_manifest(asked.data.dev)[:5])
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
    assert [row["left_out"] for row in alone] == list(range(1, 11))
    assert len({row["dev_cer"] for row in alone}) > 3
    assert "sync_dist" not in said
    # One of them speaks, but for what only the other knows.
    assert printed == f"{asr.checkpoint.resolve(settings.run_dir)}\n"
    assert len(re.findall(r"^epoch ", said, re.MULTILINE)) == 10
    assert len(re.findall(r"lie\.wav: its loss is not finite", said)) == 10
    assert {path.name for path in Path(settings.run_dir).iterdir()} == {
        path.name for path in Path(asked.run_dir).iterdir()
    }


def test_the_best_model_scores_what_both_counted_together(two):
    settings, _, said = two
    evaluation = evaluate(asr.load(settings.run_dir, device="cpu"), read_manifest(settings.data.dev))
    assert f"best dev WER {100 * evaluation.words.rate:.2f} %" in said


def test_a_lost_worker_ends_the_run_which_then_goes_on(asked, alone, two):
    trainer = dataclasses.replace(asked.trainer, save_minutes=1e-9)  # after each step
    settings = dataclasses.replace(asked, run_dir=f"{asked.run_dir}-lost", trainer=trainer)
    process = start(settings)
    said = wait_for(process, r"epoch +2/")
    os.kill(worker(process, 0), signal.SIGKILL)
    said += process.communicate(timeout=300)[1]
    assert process.returncode == 1
    assert re.search(LOST, said), said
    assert "epoch   10/10" not in said
    assert 1 <= len(rows(settings)) < 10
    goes_on_alone = dataclasses.replace(settings, run_dir=f"{settings.run_dir}-alone")
    shutil.copytree(settings.run_dir, goes_on_alone.run_dir)
    finish(start(settings))
    assert left_behind(settings) == left_behind(two[0])
    train(goes_on_alone)
    assert_same_curve(without_seconds(rows(goes_on_alone)), alone)


def test_a_signal_ends_both_after_the_same_step(asked):
    data = dataclasses.replace(asked.data, num_workers=1)
    trainer = dataclasses.replace(asked.trainer, max_epochs=2000)
    settings = dataclasses.replace(asked, data=data, trainer=trainer, run_dir=f"{asked.run_dir}-stopped")
    process = start(settings)
    wait_for(process, r"epoch +1/")
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=300)[1]
    assert said.count("SIGTERM: scoring and saving what there is; once more to leave at once.") == 1
    assert "best dev WER " in said, said
    assert "A worker was lost" not in said
    assert asr.load(f"{settings.run_dir}/last", device="cpu")


def test_a_share_is_masked_as_in_the_whole_batch():
    features = torch.ones(5, 40, 13)
    lengths = torch.tensor([40, 31, 40, 22, 10])
    settings = AugmentSettings(time_masks=2, feature_masks=2)

    def masked(rank: int, world_size: int) -> torch.Tensor:
        torch.manual_seed(3)
        return mask_features(
            features[rank::world_size], lengths[rank::world_size], settings, rank, world_size
        )

    whole = masked(0, 1)
    assert 0 < whole.sum() < features.sum()
    for world_size in (2, 3, 5):
        for rank in range(world_size):
            assert torch.equal(masked(rank, world_size), whole[rank::world_size])
