import importlib.util
import json
import shutil
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from conftest import tones

from asr import audio
from asr.errors import AsrError, ManifestError
from asr.manifest import Utterance, read_manifest

FOLDER = Path(__file__).parents[1] / "recipes" / "fsdd"
SPEAKERS = ("anna", "bob", "carl")
INDICES = range(12)


def load_recipe(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fsdd_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recipe = load_recipe("prepare")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Three speakers, each recording a sound of its own in noise of its speaker's level."""
    folder = tmp_path_factory.mktemp("fsdd") / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, speaker in enumerate(SPEAKERS):
        for digit in range(10):
            for index in INDICES:
                samples = 0.002 * (number + 1) * rng.standard_normal(2000)
                samples[400:1600] += tones(0.15, 8000, (200.0 + 60 * digit, 300.0 + 40 * index))[:1200]
                soundfile.write(folder / f"{digit}_{speaker}_{index}.wav", samples, 8000)
    (folder / "notes.txt").write_text("not a recording")
    return folder.parent


@pytest.fixture
def prepared(corpus, tmp_path, monkeypatch):
    """A function that prepares a few strings and returns the utterances of each set."""
    monkeypatch.setattr(recipe, "NUM_STRINGS", {"train": 12, "dev": 6, "test": 6})

    def run(**options) -> dict[str, list[Utterance]]:
        paths = recipe.prepare(corpus, tmp_path / "data", **options)
        return {name: read_manifest(path) for name, path in paths.items()}

    return run


def names(utterances) -> set[str]:
    return {Path(utterance.audio_filepath).stem for utterance in utterances}


def source_of(waveform: np.ndarray, sources: dict[str, np.ndarray]) -> list[str]:
    return [name for name, source in sources.items() if np.array_equal(waveform, source)]


def joined(string: Utterance) -> list[np.ndarray]:
    waveform = audio.load(string.audio_filepath, 8000)
    return [waveform[round(start * 8000) : round(end * 8000)] for start, end in string.extra["joins"]]


def test_official_split_by_index(prepared):
    sets = prepared()
    index_of = {name: {int(stem.split("_")[2]) for stem in names(sets[name])} for name in recipe.SPLITS}
    assert index_of == {"test": {0, 1, 2, 3, 4}, "dev": {5, 6, 7, 8, 9}, "train": {10, 11}}
    assert [len(sets[name]) for name in recipe.SPLITS] == [60, 150, 150]
    first = sets["test"][0]
    assert (first.text, first.speaker, first.duration) == ("zero", "anna", 0.25)


@pytest.mark.parametrize("held_out", [None, "bob"])
def test_no_recording_is_heard_on_two_sides(prepared, corpus, held_out):
    sets = prepared(held_out=held_out)
    sources = {path.stem: audio.load(path, 8000) for path in audio.find(corpus)}
    heard = {}
    for name in recipe.SPLITS:
        pieces = [source_of(piece, sources) for string in sets[f"strings-{name}"] for piece in joined(string)]
        assert all(len(piece) == 1 for piece in pieces)
        assert {piece[0] for piece in pieces} <= names(sets[name])
        heard[name] = names(sets[name])
    assert (
        sum(len(members) for members in heard.values()) == len(sources) == len(set().union(*heard.values()))
    )


def test_joins_are_where_the_recordings_are(prepared, corpus):
    sources = {path.stem: audio.load(path, 8000) for path in audio.find(corpus)}
    for string in prepared()["strings-train"]:
        found = [source_of(piece, sources)[0].split("_") for piece in joined(string)]
        assert " ".join(recipe.DIGITS[int(digit)] for digit, _, _ in found) == string.text
        assert {speaker for _, speaker, _ in found} == {string.speaker}
        assert 2 <= len(found) <= 8


def test_gaps_are_the_speakers_background(prepared):
    for string in prepared()["strings-train"]:
        waveform = audio.load(string.audio_filepath, 8000)
        joins = string.extra["joins"]
        gaps = [(end, start) for (_, end), (start, _) in pairwise(joins)]
        assert all(0.0299 <= end - start <= 0.4001 for start, end in gaps)
        assert 0.0499 <= joins[0][0] <= 0.3001
        assert 0.0499 <= string.duration - joins[-1][1] <= 0.3001
        level = 0.002 * (SPEAKERS.index(string.speaker) + 1)
        lead_in = waveform[: round(joins[0][0] * 8000)]
        assert 0.5 * level < np.sqrt(np.mean(lead_in**2)) < 1.5 * level


def test_gaps_of_silent_recordings_are_not_digital_silence():
    noise = recipe.background([np.zeros(800, np.float32)], 4000, np.random.default_rng(1))
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(2 / 32768, rel=1e-3)


def test_every_recording_is_used_before_one_is_used_again(corpus):
    recordings = recipe.split(recipe.find_recordings(corpus))["dev"]
    strings = recipe.draw_strings(recordings, 60, np.random.default_rng(1))
    used = Counter(member for string in strings for member in string)
    for speaker in SPEAKERS:
        for digit in range(10):
            counts = [used[r] for r in recordings if (r.speaker, r.digit) == (speaker, digit)]
            assert max(counts) - min(counts) <= 1


def test_same_seed_same_bytes_and_other_seed_other_strings(prepared, tmp_path):
    def written(seed: int) -> dict[Path, bytes]:
        prepared(seed=seed)
        contents = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
        shutil.rmtree(tmp_path / "data")
        return contents

    first = written(1)
    assert first == written(1)
    assert first != written(2)
    assert not [path for path in first if path.suffix == ".partial"]


def test_held_out_speaker_is_the_whole_test_set(prepared):
    sets = prepared(held_out="bob")
    assert len(sets["test"]) == 120
    for name in ("test", "strings-test"):
        assert {utterance.speaker for utterance in sets[name]} == {"bob"}
    for name in ("train-all", "dev-all"):
        assert {utterance.speaker for utterance in sets[name]} == {"anna", "carl"}
    assert {int(stem.split("_")[2]) for stem in names(sets["train"])} == {0, 1, 2, 3, 4, 10, 11}


def test_training_manifests_hold_digits_and_strings(prepared):
    sets = prepared()
    assert sets["train-all"] == sets["train"] + sets["strings-train"]
    assert sets["dev-all"] == sets["dev"] + sets["strings-dev"]


def test_other_formats_are_accepted(corpus, tmp_path):
    for path in audio.find(corpus):
        samples, rate = soundfile.read(path)
        soundfile.write(tmp_path / f"{path.stem}.flac", samples, rate)
    assert {r.path.stem for r in recipe.find_recordings(tmp_path)} == {p.stem for p in audio.find(corpus)}


def test_mistakes_are_named(corpus, tmp_path):
    with pytest.raises(ManifestError, match=r"missing: no such folder; `git clone"):
        recipe.find_recordings(tmp_path / "missing")
    with pytest.raises(ManifestError, match=r"no recording is named like 7_theo_12\.wav"):
        recipe.find_recordings(tmp_path)
    with pytest.raises(ManifestError, match=r"'dora' is not in the corpus; it has anna, bob, carl"):
        recipe.prepare(corpus, tmp_path, held_out="dora")


def test_incomplete_or_doubled_corpus_is_refused(corpus, tmp_path):
    source = corpus / "recordings" / "3_anna_0.wav"
    shutil.copy(source, tmp_path)
    with pytest.raises(ManifestError, match="no recording falls into train"):
        recipe.prepare(tmp_path, tmp_path / "data")
    shutil.copy(source, tmp_path / "3_anna_0.WAV")
    with pytest.raises(ManifestError, match="3_anna_0 is there 2 times"):
        recipe.prepare(tmp_path, tmp_path / "data")


def test_command_prints_sets_and_one_sentence_on_failure(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "NUM_STRINGS", {"train": 2, "dev": 2, "test": 2})
    command = ["prepare.py", "--corpus-dir", str(corpus), "--output-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    assert recipe.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[0].split()[:2] == ["train", "60"]
    monkeypatch.setattr(sys, "argv", [*command, "--held-out", "dora"])
    assert recipe.main() == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.count("\n") == 1


def test_real_corpus_counts(corpora):
    recordings = recipe.find_recordings(corpora / "fsdd")
    official = recipe.split(recordings)
    assert {name: len(members) for name, members in official.items()} == {
        "train": 2400,
        "dev": 300,
        "test": 300,
    }
    held_out = recipe.split(recordings, "theo")
    assert {name: len(members) for name, members in held_out.items()} == {
        "train": 2250,
        "dev": 250,
        "test": 500,
    }


@pytest.fixture
def voices(monkeypatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "prepare", recipe)
    return load_recipe("voices")


def test_held_out_voices_are_never_trained_on(voices):
    assert len(set(voices.TRAINING)) == len(voices.TRAINING)
    variants = {voice.name.partition("+")[2] or voice.name for voice in voices.TRAINING}
    held_out = {voice.name.partition("+")[2] or voice.name for voice in voices.HELD_OUT}
    assert not variants & held_out


def test_samples_are_spoken_by_held_out_voices(voices):
    folder = FOLDER.parent / "demo" / "samples"
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert {line["speaker"] for line in lines} == {voice.speaker for voice in voices.HELD_OUT}
    for line in lines:
        path = folder / line["audio_filepath"]
        assert audio.duration(path) == pytest.approx(line["duration"], abs=0.1)


def test_missing_synthesiser_names_the_packages(voices, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AsrError, match="apt install espeak-ng flite festival"):
        voices.synthesise(tmp_path)
