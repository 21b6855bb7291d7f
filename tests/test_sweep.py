"""Sweeps: what is combined, and two real trainings of which one cannot work."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import toy_slurm
from trainings import write_sets

from asr.errors import ConfigError
from asr.sweep import Outcome, Point, expand
from asr.sweep.cluster import cluster
from asr.sweep.search import Search


def small_training(folder: Path, *more: str) -> list[str]:
    """A training of a second, as overrides."""
    corpus = write_sets(folder / "corpus")
    return [
        *(
            "features=mfcc_8k",
            "model=small",
            "model.num_layers=1",
            "model.hidden_size=8",
            "model.num_channels=8",
        ),
        *(f"data.{name}={corpus / name / 'manifest.jsonl'}" for name in ("train", "dev")),
        *("trainer.max_epochs=1", "trainer.threads=1", "trainer.watch_gradients=false", "trainer.device=cpu"),
        *(f"run_dir={folder / 'run'}", *more),
    ]


def asr_train(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", "train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


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
    asked = [one for one in small_training(tmp_path) if not one.startswith("data.dev=")]
    good, absent = tmp_path / "corpus" / "dev" / "manifest.jsonl", tmp_path / "absent.jsonl"
    done = asr_train("--sweep", "--jobs", "2", *asked, f"data.dev={good},{absent}")
    assert done.returncode == 1, done.stderr
    header, _, first, second = done.stdout.splitlines()
    assert header.startswith("| settings | dev WER")
    assert str(good) in first
    assert "absent.jsonl" in second
    assert "Traceback" not in done.stdout + done.stderr
    (log,) = tmp_path.glob("run-sweep/*dev_manifest.jsonl/train.log")
    assert "best dev WER" in log.read_text()


# --- on a cluster ------------------------------------------------------------------------------------------


def hear_ctrl_c() -> None:
    """A shell lets its background processes, these tests too, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_jobs_outlive_the_command_and_are_collected_by_the_same_one(tmp_path):
    toy = tmp_path / "toy"
    command = [
        "--sweep",
        "--slurm",
        "--partition=long --gpus=0 --time=30",
        *small_training(tmp_path),
        "seed=1,2",
    ]
    environment = toy_slurm.write(toy)
    records = [tmp_path / "run-sweep" / f"seed={seed}" / "slurm" / "job.json" for seed in (1, 2)]
    first = subprocess.Popen(
        [sys.executable, "-m", "asr", "train", *command],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    while not all(record.exists() for record in records):
        assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGINT)
    assert "the jobs go on" in first.communicate()[1]
    assert first.returncode == 130
    toy_slurm.lose(toy, 1)

    second = asr_train(*command, env=environment)
    assert second.returncode == 0, second.stdout + second.stderr
    assert len(second.stdout.splitlines()) == 4
    numbers = [json.loads(record.read_text())["id"] for record in records]
    assert numbers == ["3", "2"]
    options = (toy / "1.sh").read_text()
    assert all(f"#SBATCH --{option}\n" in options for option in ("partition=long", "gpus=0", "time=30"))

    third = asr_train(*command, env=environment)
    assert (third.returncode, third.stdout) == (0, second.stdout)
    assert not (toy / "4.sh").exists()


def test_a_job_that_is_lost_while_it_is_waited_for_is_said(tmp_path):
    toy, asked = tmp_path / "toy", [*small_training(tmp_path), "seed=1,2"]
    environment = toy_slurm.write(toy)
    command = [sys.executable, "-m", "asr", "train", "--sweep", "--slurm", "", *asked]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as waiting:
        for number in (1, 2):
            while not (tmp_path / "run-sweep" / f"seed={number}" / "slurm" / "job.json").exists():
                assert waiting.poll() is None
            toy_slurm.lose(toy, number)
        printed, _ = waiting.communicate()
    assert waiting.returncode == 1
    assert printed.count("ended as NODE_FAIL; see ") == 2


def test_a_job_that_is_refused_is_said(tmp_path):
    environment = toy_slurm.write(tmp_path / "toy")
    asked = [*small_training(tmp_path), "seed=1,2"]
    refused = asr_train("--sweep", "--slurm", "partition=full", *asked, env=environment)
    assert refused.returncode == 1
    last = refused.stderr.splitlines()[-1]
    assert last.endswith("sbatch refused the job: sbatch: error: invalid partition specified: full")


def test_without_a_cluster_or_submitit_a_sentence_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="there is no sbatch here"):
        cluster("")
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"pip install 'asr\[slurm\]'"):
        cluster("")


# --- search ------------------------------------------------------------------------------------------------

OPEN = [
    "trainer.learning_rate=5e-4..5e-3",
    "model.dropout=0.1..0.5",
    "model.num_layers=1..3",
    "model=bilstm,bigru",
]


def numbers_of(point: Point) -> tuple[float, float, int, str]:
    rate, dropout, layers, model = (one.partition("=")[2] for one in point.particular)
    return float(rate), float(dropout), int(layers), model


def follow(search: Search, num_trials: int) -> list[Point]:
    """A search whose dev WER is best at a learning rate of 0.002 without dropout."""
    points = []
    for point in search.points(num_trials):
        rate, dropout, *_ = numbers_of(point)
        search.tell(Outcome(point, abs(math.log(rate / 2e-3)) + dropout))
        points.append(point)
    return points


def test_a_search_stays_in_its_ranges_and_finds_what_is_better(tmp_path):
    points = follow(Search([*OPEN, f"run_dir={tmp_path / 'run'}"]), 40)
    assert len({point.run_dir for point in points}) == 40
    assert all(point.run_dir.parent == tmp_path / "run-search" for point in points)
    rates, dropouts, layers, models = zip(*map(numbers_of, points), strict=True)
    assert 5e-4 <= min(rates) < 1e-3
    assert 4e-3 < max(rates) <= 5e-3
    assert all(0.1 <= dropout <= 0.5 for dropout in dropouts)
    assert (set(layers), set(models)) == ({1, 2, 3}, {"bilstm", "bigru"})
    assert sum(dropouts[20:]) < 0.8 * sum(dropouts[:20])


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    whole = follow(Search([*OPEN, f"run_dir={tmp_path / 'whole'}"]), 15)
    asked = [*OPEN, f"run_dir={tmp_path / 'run'}"]
    parts = follow(Search(asked), 12)
    stopped = next(iter(Search(asked).points(15)))
    parts += follow(Search(asked), 15)
    assert stopped.particular == parts[12].particular
    assert [point.particular for point in parts] == [point.particular for point in whole]
    assert list(Search(asked).points(15)) == []
    other = Search([*OPEN, "seed=2", f"run_dir={tmp_path / 'other'}"])
    assert follow(other, 1)[0].particular != whole[0].particular


def test_what_failed_is_made_up_for_by_another_trial(tmp_path):
    asked = [*OPEN, f"run_dir={tmp_path / 'run'}"]
    search = Search(asked)
    (first,) = search.points(1)
    search.tell(Outcome(first, None, failure="no memory"))
    (second,) = Search(asked).points(1)
    assert second.particular != first.particular


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["seed=1"], "a range or choices"),
        (["trainer.lerning_rate=1..2"], "did you mean trainer.learning_rate"),
        (["model.dropout=0.5..0.1"], "is no range of numbers"),
        (["model.cell=1..2"], "is no range of numbers"),
        (["model.dropout=0.1..1.5"], "dropout"),
        (["model=bilstm,bigur"], "did you mean model=bigru"),
    ],
)
def test_a_search_that_makes_no_sense_trains_nothing(overrides, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence):
        Search([*overrides, f"run_dir={tmp_path / 'run'}"])
    assert not list(tmp_path.iterdir())


def test_a_folder_holds_one_search(tmp_path):
    Search(["seed=1,2", f"run_dir={tmp_path / 'run'}"])
    with pytest.raises(ConfigError, match=r"holds a search of other settings .*seed=1,2"):
        Search(["seed=1,3", f"run_dir={tmp_path / 'run'}"])


def test_without_optuna_a_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'asr\[search\]'"):
        Search(["seed=1,2"])


def test_a_search_trains_and_more_trials_go_on_with_it(tmp_path):
    asked = [*small_training(tmp_path), "trainer.learning_rate=1e-4..1e-2"]
    first, second = asr_train("--trials", "1", *asked), asr_train("--trials", "2", *asked)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    row = first.stdout.splitlines()[2]
    assert row.startswith("| trainer.learning_rate=0.0")
    assert row in second.stdout.splitlines()
    assert len(second.stdout.splitlines()) == 4
    assert "2 trainings, 1 of them done" in second.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["--sweep", "seed=1,2", "seed=3"], "seed is given twice; give all of its values in one place."),
        (["--trials", "2", "seed=1,2", "seed=3"], "seed is given twice"),
        (["--sweep", "run_dir=runs/a,runs/b"], "run_dir takes one value"),
        (["--sweep", "model.dropout=0.1..0.5"], "a range is for --trials"),
        (["seed=1,2"], "seed=1,2 has several values; give --sweep"),
        (["trainer.learning_rate=5e-4..5e-3"], "is a range; give --trials N"),
        (["--sweep", "--dry-run", "seed=1,2"], "--dry-run and --show are for one training"),
    ],
)
def test_what_is_not_clear_is_refused(command, said):
    done = asr_train(*command)
    assert done.returncode != 0
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_torchrun_starts_no_sweep():
    done = asr_train("--sweep", "seed=1,2", env=os.environ | {"TORCHELASTIC_RUN_ID": "none"})
    assert (done.returncode, done.stdout) == (1, "")
    assert "torchrun shares one training; start a sweep without it." in done.stderr
