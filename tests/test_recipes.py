"""The recipes as a user runs them, on the real corpora."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "recipes" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_yesno_reaches_its_stated_result(corpora: Path, tmp_path: Path) -> None:
    folders = ["--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    done = run("yesno/run.py", "--corpus-dir", corpora / "yesno", *folders)
    assert done.returncode == 0, done.stderr
    assert "1/240" in done.stdout, "the recording of one file lacks a word: see the recipe's README"


def test_a_missed_result_fails_the_recipe(corpora: Path, tmp_path: Path) -> None:
    folders = ["--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    done = run("yesno/run.py", "--corpus-dir", corpora / "yesno", *folders, "trainer.max_epochs=1")
    assert done.returncode == 1
    assert "is stated" in done.stderr


def test_an4_is_scored_greedily_and_with_its_trigram(corpora: Path, tmp_path: Path) -> None:
    folders = ["--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    tiny = ["trainer.max_epochs=1", "model.num_layers=1", "model.hidden_size=16", "model.num_channels=16"]
    done = run("an4/run.py", "--corpus-dir", corpora / "an4", *folders, *tiny)
    assert done.returncode == 0, done.stderr
    assert "| test | test, tuned |" in done.stdout
    assert (tmp_path / "data" / "train.arpa.gz").is_file()
    recordings = ["--recordings", corpora / "an4" / "wav_sample", "--data", tmp_path / "data"]
    done = run("an4/audio.py", *recordings, "--model", tmp_path / "runs" / "seed1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("43 of 43 recordings give the text of their cepstra")


@pytest.mark.parametrize(
    "script", ["yesno/run.py", "fsdd/run.py", "an4/run.py", "librispeech/run.py", "speechocean762/run.py"]
)
def test_a_wrong_folder_is_one_sentence(script: str, tmp_path: Path) -> None:
    done = run(script, "--corpus-dir", tmp_path / "absent", "--output-dir", tmp_path / "data")
    assert done.returncode == 1
    assert "absent" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_folder_recipe_wants_a_folder_that_is_there(tmp_path: Path) -> None:
    done = run("folder/run.py", tmp_path / "absent", "--output-dir", tmp_path / "data")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "absent: no such file or folder" in done.stderr


def test_the_demo_transcribes_every_sample() -> None:
    done = run("demo/run.py")
    assert done.returncode == 0, done.stderr
    assert "12 recordings through digits-en" in done.stdout
    assert "%WER" in done.stdout
    assert "95 % interval" in done.stdout
