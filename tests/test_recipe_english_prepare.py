import subprocess
import sys
from pathlib import Path

import pytest

from asr import audio
from asr.manifest import read_manifest

SCRIPT = Path(__file__).parents[1] / "recipes" / "english" / "prepare.py"


@pytest.fixture(scope="module")
def data(corpora, synthesisers, tmp_path_factory) -> Path:
    """The real corpora pooled, with four sentences of synthetic voices."""
    folder = tmp_path_factory.mktemp("english")
    places = {
        "librispeech": corpora / "librispeech",
        "speechocean762": corpora / "speechocean762",
        "ljspeech": corpora / "ljspeech" / "LJSpeech-1.1",
    }
    options = [argument for name, place in places.items() for argument in (f"--{name}", str(place))]
    command = [sys.executable, str(SCRIPT), *options, "--synthetic", "4", "--output-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_pool_holds_every_training_part(data):
    train, dev = (read_manifest(data / f"{name}.jsonl") for name in ("train", "dev"))
    assert len(train) == 770 + 2220 + 385 + 4
    assert len(dev) == 181 + 280
    tests = [data / name / "test.jsonl" for name in ("librispeech", "speechocean762")]
    held_out = {utterance.speaker for path in tests for utterance in read_manifest(path)}
    assert not held_out & {utterance.speaker for utterance in train + dev}


def test_synthetic_voices_read_sentences_that_have_no_recording(data):
    utterances = read_manifest(data / "voices.jsonl")
    recorded = {u.text for u in read_manifest(data / "train.jsonl") if u.speaker == "ljspeech"}
    assert len(utterances) == 4
    for utterance in utterances:
        assert utterance.text not in recorded
        assert audio.duration(utterance.audio_filepath) == pytest.approx(utterance.duration, abs=0.01)
        assert 0.03 < utterance.duration / len(utterance.text) < 0.15, "seconds a letter, as people read"


def test_all_texts_but_those_of_dev_and_test_may_train_a_language_model(data):
    lines = (data / "train.txt").read_text().splitlines()
    assert len(lines) == 770 + 2220 + 13100
