"""The other commands as processes: train, evaluate, models, doctor, and the top level."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import tones

import asr
import asr.cli
from asr.manifest import Utterance, write_manifest

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples" / "samples.jsonl"
COMMANDS = (*asr.cli.COMMANDS, "data", "lm")


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "asr" in done.stdout
    assert "Example" in done.stdout or command in ("doctor", "data", "lm")


def test_version_and_top_level_help() -> None:
    assert run("--version").stdout == f"asr {asr.__version__}\n"
    top = run("--help").stdout
    assert all(command in top for command in COMMANDS)


def test_evaluate_scores_what_the_api_scores(tmp_path: Path) -> None:
    done = run("evaluate", SAMPLES, "-m", "digits-en", "-o", tmp_path / "report")
    assert done.returncode == 0
    evaluation = asr.evaluate(asr.load("digits-en"), asr.read_manifest(SAMPLES))
    words = evaluation.words
    assert done.stdout.startswith(f"%WER {100 * words.rate:.2f} [ {words.errors} / {words.num_reference}, ")
    assert re.search(r"^95 % interval [\d.]+ to [\d.]+ ", done.stdout, re.MULTILINE)
    assert "01-espeak-en-us+travis.wav" in (tmp_path / "report" / "report.html").read_text()


def test_evaluate_counts_what_cannot_be_read(tmp_path: Path) -> None:
    good = asr.read_manifest(SAMPLES)[:2]
    write_manifest(
        tmp_path / "test.jsonl", [*good, Utterance(str(tmp_path / "lost.wav"), 1.0, "one two three")]
    )
    done = run("evaluate", tmp_path / "test.jsonl", "-m", "digits-en")
    assert done.returncode == 1
    assert "lost.wav" in done.stderr
    num_words = sum(len(utterance.text.split()) for utterance in good) + 3
    assert f"/ {num_words}, " in done.stdout.splitlines()[0]


def test_models_lists_the_bundled_one_and_prints_its_card() -> None:
    listed = run("models")
    assert any(line.startswith("digits-en\t") for line in listed.stdout.splitlines())
    assert "CC BY-SA" in run("models", "digits-en").stdout


def test_doctor_finds_this_machine_well() -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert "MISSING" not in done.stdout
    assert "model digits-en" in done.stdout
    assert re.search(r"^ok      numba +\d", done.stdout, re.MULTILINE)
    assert re.search(r"^ok      compiled code +kept in \S", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("trainer.max_epoch=20", "did you mean trainer.max_epochs?"),
        ("modle=bigru", "did you mean model?"),
        ("model=bigrus", "did you mean model=bigru?"),
    ],
)
def test_train_names_the_nearest_key(override: str, hint: str) -> None:
    done = run("train", "recipe=fsdd", override)
    assert done.returncode == 1
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_train_show_prints_the_settings_that_would_be_used() -> None:
    shown = run("train", "recipe=fsdd", "model=bigru", "trainer.max_epochs=20", "--show").stdout
    assert "cell: gru" in shown
    assert "max_epochs: 20" in shown
    assert "subsampling: 2" in shown, "the recipe's stride survives another network"


def test_train_then_transcribe_from_nothing_but_a_manifest(tmp_path: Path) -> None:
    import soundfile

    utterances = []
    for name, pitch in (("low", 200.0), ("high", 900.0)):
        for number in range(3):
            path = tmp_path / f"{name}{number}.wav"
            soundfile.write(path, tones(0.6 + 0.1 * number, pitches=(pitch, 2 * pitch)), 16000)
            utterances.append(Utterance(str(path), 0.6 + 0.1 * number, name))
    write_manifest(tmp_path / "toy.jsonl", utterances)
    settings = [
        "data.train=toy.jsonl",
        "data.dev=toy.jsonl",
        "run_dir=run",
        "model=small",
        "model.hidden_size=32",
    ]
    done = run("train", *settings, "trainer.max_epochs=2", "trainer.warmup_epochs=0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "run/best\n"
    assert "epoch   2/2" in done.stderr
    heard = run("transcribe", "low0.wav", "-m", "run", cwd=tmp_path)
    assert heard.returncode == 0, heard.stderr
    tried = run("train", *settings, "--dry-run", cwd=tmp_path)
    assert "peak memory" in tried.stdout
