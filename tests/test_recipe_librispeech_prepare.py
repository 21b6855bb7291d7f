import importlib.util
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import soundfile
from conftest import tones

from asr.errors import ManifestError
from asr.manifest import read_manifest

PATH = Path(__file__).parents[1] / "recipes" / "librispeech" / "prepare.py"
spec = importlib.util.spec_from_file_location("librispeech_prepare", PATH)
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)


def write_chapter(
    subset: Path, speaker: str, chapter: str, suffix: str = ".flac", seconds: float = 0.2
) -> None:
    """Two utterances in LibriSpeech's own layout."""
    folder, name = subset / speaker / chapter, f"{speaker}-{chapter}"
    folder.mkdir(parents=True)
    for number in range(2):
        soundfile.write(folder / f"{name}-000{number}{suffix}", tones(seconds), 16000)
    lines = [f"{name}-0000 MISTER QUILTER", f"{name}-0001 HE'S {speaker}"]
    (folder / f"{name}.trans.txt").write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def part(tmp_path) -> Path:
    """A part of dev-clean, in two formats."""
    subset = tmp_path / "corpus" / "LibriSpeech" / "dev-clean"
    for number, speaker in enumerate(("84", "1272", "1462", "174", "2086", "2428")):
        write_chapter(subset, speaker, "1", ".mp3" if number % 2 else ".flac")
    return subset.parents[1]


@pytest.fixture
def official(tmp_path) -> Path:
    root = tmp_path / "official"
    for number, subset in enumerate(
        ("train-clean-100", "train-other-500", "dev-clean", "test-clean", "test-other")
    ):
        write_chapter(root / subset, f"127{number}", "1", seconds=1.5)
        write_chapter(root / subset, f"128{number}", "2", seconds=1.5)
    return root


def speakers(path: Path) -> list[str]:
    return [utterance.speaker for utterance in read_manifest(path)]


def test_a_part_is_divided_by_speaker(part, tmp_path):
    paths = recipe.prepare(part, tmp_path / "data")
    assert {name: speakers(path) for name, path in paths.items()} == {
        "train": ["174", "174", "84", "84"],
        "dev": ["1462", "1462", "2428", "2428"],
        "test": ["1272", "1272", "2086", "2086"],
    }
    assert (
        tmp_path / "data" / "train.txt"
    ).read_text() == "mister quilter\nhe's 174\nmister quilter\nhe's 84\n"


def test_official_subsets_are_the_split_where_they_are_there(official, tmp_path):
    paths = recipe.prepare(official, tmp_path / "data")
    assert {name: sorted(set(speakers(path))) for name, path in paths.items()} == {
        "train": ["1270", "1271", "1280", "1281"],
        "dev": ["1272", "1282"],
        "test": ["1273", "1283"],
        "test-other": ["1274", "1284"],
    }


def test_without_a_training_set_test_sets_stay_what_they_are(part, tmp_path):
    for subset, speaker in {"test-clean": "1089", "test-other": "1688", "dev-other": "116"}.items():
        write_chapter(part / "LibriSpeech" / subset, speaker, "1")
    paths = recipe.prepare(part, tmp_path / "data")
    assert {name: sorted(set(speakers(path))) for name, path in paths.items()} == {
        "train": ["174", "84"],
        "dev": ["1462", "2428"],
        "test": ["1272", "2086"],
        "dev-other": ["116"],
        "test-clean": ["1089"],
        "test-other": ["1688"],
    }


def test_an_utterance_is_its_recording(part, tmp_path):
    utterance = read_manifest(recipe.prepare(part / "LibriSpeech", tmp_path / "data")["test"])[1]
    assert Path(utterance.audio_filepath).name == "1272-1-0001.mp3"
    assert (utterance.text, utterance.speaker) == ("he's 1272", "1272")
    assert utterance.duration == pytest.approx(0.2, abs=0.1)


def test_same_bytes_every_time(part, tmp_path):
    first, second = recipe.prepare(part, tmp_path / "a"), recipe.prepare(part, tmp_path / "b")
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


def test_what_is_missing_is_named(part, official, tmp_path):
    with pytest.raises(
        ManifestError, match=r"missing: no folder in it is named like dev-clean; get LibriSpeech"
    ):
        recipe.prepare(tmp_path / "missing", tmp_path)
    next(part.rglob("174-1-0001.*")).unlink()
    with pytest.raises(ManifestError, match=r"174-1\.trans\.txt: the recording of 174-1-0001 is missing"):
        recipe.prepare(part, tmp_path)
    (official / "test-clean").rename(official / "test-noisy")
    with pytest.raises(ManifestError, match=r"test\.jsonl: no utterance falls into it; get the rest"):
        recipe.prepare(official, tmp_path)


def test_command_prints_sets_and_one_sentence_on_failure(part, tmp_path, monkeypatch, capsys):
    command = ["prepare.py", "--output-dir", str(tmp_path / "data"), "--corpus-dir"]
    monkeypatch.setattr(sys, "argv", [*command, str(part)])
    assert recipe.main() == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:2] == ["train", "4"]
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "missing")])
    assert recipe.main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_only_the_subsets_asked_for_are_downloaded(official, home, tmp_path, monkeypatch, capsys):
    for subset in recipe.ARCHIVES:
        if (official / subset).is_dir():
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as archive:
                archive.add(official / subset, f"LibriSpeech/{subset}")
            monkeypatch.setitem(recipe.ARCHIVES, subset, home.archive(f"{subset}.tar.gz", packed.getvalue()))
    command = ["prepare.py", "--output-dir", str(tmp_path / "data"), "--subsets"]
    monkeypatch.setattr(sys, "argv", [*command, "train-clean-100", "dev-clean", "test-clean"])
    assert recipe.main() == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["train", "4"],
        ["dev", "4"],
        ["test", "4"],
    ]
    assert len(home.asked) == 3
    monkeypatch.setattr(sys, "argv", [*command, "train-clean-1000"])
    with pytest.raises(SystemExit):
        recipe.main()
    assert "'train-clean-1000' is not one of dev-clean, " in capsys.readouterr().err


def test_real_corpus_counts(corpora, tmp_path):
    paths = recipe.prepare(corpora / "librispeech", tmp_path)
    assert {name: len(read_manifest(path)) for name, path in paths.items()} == {
        "train": 770,
        "dev": 181,
        "test": 203,
    }
    assert set(speakers(paths["test"])) == set(recipe.TEST_SPEAKERS)
    assert set(speakers(paths["dev"])) == set(recipe.DEV_SPEAKERS)
    assert len(set(speakers(paths["train"]))) == 12


def test_training_on_the_official_sets_starts(official, tmp_path):
    folders = ["--corpus-dir", official, "--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    short = [
        "trainer.max_epochs=1",
        "trainer.watch_gradients=false",
        "data.num_workers=0",
        "trainer.precision=32",
    ]
    command = [sys.executable, PATH.with_name("run.py"), *folders, "recipe=librispeech_100", *short]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| test, tuned | test-other, tuned |" in done.stdout
    best = tmp_path / "runs" / "seed1" / "best" / "weights.safetensors"
    assert best.stat().st_size > 4 * 20e6, "20 million float32 weights at least"
