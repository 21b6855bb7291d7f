import importlib.util
import sys
from pathlib import Path

import pytest
import soundfile
from conftest import tones

from asr.errors import ManifestError
from asr.manifest import read_manifest

PATH = Path(__file__).parents[1] / "recipes" / "yesno" / "prepare.py"
spec = importlib.util.spec_from_file_location("yesno_prepare", PATH)
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)


def stem(number: int) -> str:
    return "_".join(f"{number:08b}")


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Sixty files, whose names sort as the numbers 0 to 59."""
    folder = tmp_path / "corpus" / "waves_yesno"
    folder.mkdir(parents=True)
    for number in range(60):
        soundfile.write(folder / f"{stem(number)}.flac", tones(0.1, 8000), 8000)
    (folder / "README.md").write_text("not a recording")
    return folder.parent


def numbers(path: Path) -> list[int]:
    return [int(Path(u.audio_filepath).stem.replace("_", ""), 2) for u in read_manifest(path)]


def test_even_positions_train_and_odd_ones_test(corpus, tmp_path):
    paths = recipe.prepare(corpus, tmp_path / "data")
    assert numbers(paths["train-all"]) == list(range(0, 60, 2))
    assert numbers(paths["test"]) == list(range(1, 60, 2))
    assert numbers(paths["dev"]) == [8, 18, 28, 38, 48, 58]
    assert sorted(numbers(paths["train"]) + numbers(paths["dev"])) == numbers(paths["train-all"])


def test_name_is_the_transcript(corpus, tmp_path):
    paths = recipe.prepare(corpus / "waves_yesno", tmp_path / "data")
    utterance = read_manifest(paths["train-all"])[5]
    assert Path(utterance.audio_filepath).stem == "0_0_0_0_1_0_1_0"
    assert utterance.text == "lo lo lo lo ken lo ken lo"
    assert (utterance.speaker, utterance.duration) == ("yesno", 0.1)


def test_same_bytes_every_time(corpus, tmp_path):
    first, second = recipe.prepare(corpus, tmp_path / "a"), recipe.prepare(corpus, tmp_path / "b")
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


def test_wrong_folder_and_incomplete_corpus_are_refused(corpus, tmp_path):
    with pytest.raises(ManifestError, match=r"missing: no such folder; get waves_yesno\.tar\.gz"):
        recipe.prepare(tmp_path / "missing", tmp_path)
    next((corpus / "waves_yesno").glob("*.flac")).unlink()
    with pytest.raises(ManifestError, match="59 recordings have names like"):
        recipe.prepare(corpus, tmp_path)


def test_command_prints_sets_and_one_sentence_on_failure(corpus, tmp_path, monkeypatch, capsys):
    command = ["prepare.py", "--output-dir", str(tmp_path / "data"), "--corpus-dir"]
    monkeypatch.setattr(sys, "argv", [*command, str(corpus)])
    assert recipe.main() == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:2] == ["train", "24"]
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "missing")])
    assert recipe.main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_real_corpus_counts(corpora, tmp_path):
    paths = recipe.prepare(corpora / "yesno", tmp_path)
    assert {name: len(numbers(path)) for name, path in paths.items()} == {
        "train": 24,
        "dev": 6,
        "test": 30,
        "train-all": 30,
    }
    # Every file has eight words.
    assert sum(len(u.text.split()) for u in read_manifest(paths["test"])) == 240
