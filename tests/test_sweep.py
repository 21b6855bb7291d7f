"""Sweeps: what is combined, and two real trainings of which one cannot work."""

import subprocess
import sys
from pathlib import Path

import pytest
from trainings import write_sets

from asr.errors import ConfigError
from asr.sweep import expand


def test_every_combination_is_a_point_with_a_folder_of_its_own():
    points = expand(["recipe=fsdd", "model=bilstm,bigru", "seed=range(1,4)", "run_dir=runs/x"])
    assert len(points) == len({point.run_dir for point in points}) == 6
    assert {point.particular for point in points} >= {("model=bigru", "seed=3"), ("model=bilstm", "seed=1")}
    assert points[0].run_dir == Path("runs/x-sweep/model=bilstm,seed=1")
    assert all("recipe=fsdd" in point.overrides and "recipe=fsdd" not in point.particular for point in points)


def test_a_path_that_hydra_cannot_read_is_one_value():
    points = expand(["data.train=it's here/[a].jsonl", "seed=1,2"])
    assert [point.particular for point in points] == [("seed=1",), ("seed=2",)]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["seed=1"], "several values"),
        (["model=bilstm,bigur"], "did you mean model=bigru"),
        (["sed=1,2"], "seed"),
    ],
)
def test_a_typo_is_found_before_anything_trains(overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        expand(overrides)


def test_what_fails_costs_only_itself(tmp_path):
    corpus = write_sets(tmp_path / "corpus")
    good, absent = corpus / "dev" / "manifest.jsonl", tmp_path / "absent.jsonl"
    small = ["model=small", "model.num_layers=1", "model.hidden_size=8", "model.num_channels=8"]
    command = [
        *(sys.executable, "-m", "asr", "train", "--sweep", "--jobs", "2", "features=mfcc_8k", *small),
        *(f"data.train={corpus / 'train' / 'manifest.jsonl'}", f"data.dev={good},{absent}"),
        *("trainer.max_epochs=1", "trainer.threads=1", f"run_dir={tmp_path / 'run'}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    header, _, first, second = done.stdout.splitlines()
    assert header.startswith("| settings | dev WER")
    assert str(good) in first
    assert "absent.jsonl" in second
    assert "Traceback" not in done.stdout + done.stderr
