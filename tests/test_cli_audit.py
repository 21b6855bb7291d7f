import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import typer
from toys import random_texts, write_corpus

from asr.cli.audit import audit
from asr.errors import ManifestError
from asr.manifest import read_manifest, write_manifest

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples" / "samples.jsonl"


def run(*arguments) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", "audit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def write_quieter(folder: Path, parts: tuple[int, ...] = (1, 2, 4)) -> list:
    """The samples again and again, softer each time."""
    utterances = []
    for utterance in read_manifest(SAMPLES):
        samples, rate = soundfile.read(utterance.audio_filepath)
        for part in parts:
            path = folder / f"{Path(utterance.audio_filepath).stem}-{part}.wav"
            soundfile.write(path, samples / part, rate)
            utterances.append(replace(utterance, audio_filepath=str(path), duration=len(samples) / rate))
    return utterances


def test_exchanged_strings_of_digits_come_first(tmp_path):
    utterances = write_quieter(tmp_path)
    one, other = 4, 22
    texts = utterances[one].text, utterances[other].text
    utterances[one] = replace(utterances[one], text=texts[1])
    utterances[other] = replace(utterances[other], text=texts[0])
    manifest = tmp_path / "train.jsonl"
    write_manifest(manifest, utterances)
    with open(manifest, "a") as file:
        file.write("no JSON\n")
    result = run(manifest, "-m", "digits-en", "-o", tmp_path / "out" / "audit.html", "--top", 2)
    assert result.returncode == 1, "a broken line"
    assert f"{manifest}:37: not a JSON object" in result.stderr
    assert "Traceback" not in result.stderr
    rows = [row.split("\t") for row in result.stdout.splitlines()]
    assert rows[0][:2] == ["rank", "line"]
    assert {row[1] for row in rows[1:]} == {str(one + 1), str(other + 1)}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"audit.html", "audit.tsv", "audit.json"}
    assert "<audio" in (tmp_path / "out" / "audit.html").read_text()


def test_folds_train_on_what_they_do_not_judge(tmp_path):
    corpus = [
        replace(utterance, speaker=f"s{n % 6}")
        for n, utterance in enumerate(write_corpus(tmp_path / "train", random_texts(48, 1)))
    ]
    write_corpus(tmp_path / "dev", random_texts(4, 2))
    manifest = tmp_path / "train.jsonl"
    write_manifest(manifest, corpus)
    settings = (
        *("features=mfcc_8k", "model=small", "model.num_layers=1", "model.hidden_size=16", "augment=none"),
        *("model.num_channels=16", "trainer.max_epochs=1", "trainer.threads=1", "trainer.device=cpu"),
        *("trainer.watch_gradients=false", f"data.dev={tmp_path / 'dev' / 'manifest.jsonl'}"),
    )
    page = tmp_path / "audit.html"
    result = run(manifest, "--folds", 2, "-o", page, *settings)
    assert result.returncode == 0, result.stderr
    trained = [
        {one.speaker for one in read_manifest(tmp_path / "audit-folds" / f"train-{n}.jsonl")} for n in (1, 2)
    ]
    assert not trained[0] & trained[1]
    assert len(trained[0] | trained[1]) == 6
    found = json.loads((tmp_path / "audit.json").read_text())
    assert sorted(entry["line"] for entry in found["utterances"]) == list(range(1, 49))
    assert len(found["setup"]["models"]) == 2

    write_manifest(manifest, corpus[:40])
    with pytest.raises(ManifestError, match="other utterances"):
        audit(manifest, [*settings], folds=2, output=page)


def test_a_model_or_folds():
    for wrong in ({}, {"model": "digits-en", "folds": 2}, {"model": "digits-en", "overrides": ["seed=2"]}):
        with pytest.raises(typer.BadParameter):
            audit(SAMPLES, **wrong)
