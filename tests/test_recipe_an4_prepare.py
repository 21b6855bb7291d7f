import importlib.util
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from asr import feature_files
from asr.errors import ManifestError
from asr.manifest import Utterance, read_manifest

PATH = Path(__file__).parents[1] / "recipes" / "an4" / "prepare.py"
spec = importlib.util.spec_from_file_location("an4_prepare", PATH)
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)

TRAIN = [
    ("fash/an251-fash-b", "YES (an251-fash-b)"),
    ("fkdo/an33-fkdo-b", "<s> RUBOUT G M E F THREE NINE </s> (an33-fkdo-b)"),
    ("mjgm/cen8-mjgm-b", "<s> O'NEIL </s> (cen8-mjgm-b)"),
]
TEST = [("fcaw/an406-fcaw-b", "<s> RUBOUT </s> (an406-fcaw-b)")]


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Path:
    """Three training utterances and one of test, in AN4's own layout; 25 frames each."""
    monkeypatch.setattr(recipe, "NUM_UTTERANCES", {"train": len(TRAIN), "test": len(TEST)})
    root = tmp_path / "corpus" / "an4"
    (root / "etc").mkdir(parents=True)
    for name, folder, lines in (("train", "an4_clstk", TRAIN), ("test", "an4test_clstk", TEST)):
        ids = [f"{folder}/{file_id}" for file_id, _ in lines]
        (root / "etc" / f"an4_{name}.fileids").write_text("".join(f"{file_id}\n" for file_id in ids))
        texts = "".join(f"{text}\n" for _, text in lines)
        (root / "etc" / f"an4_{name}.transcription").write_text(texts)
        for number, file_id in enumerate(ids):
            path = root / "feat" / f"{file_id}.mfc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(struct.pack(">i", 25 * 13) + np.full(25 * 13, number, ">f4").tobytes())
    return root.parent


def texts(path: Path) -> list[str]:
    return [utterance.text for utterance in read_manifest(path)]


def test_named_speakers_choose_and_the_others_train(corpus, tmp_path):
    paths = recipe.prepare(corpus, tmp_path / "data")
    assert {name: [u.speaker for u in read_manifest(path)] for name, path in paths.items()} == {
        "train": ["fash", "mjgm"],
        "dev": ["fkdo"],
        "test": ["fcaw"],
        "train-all": ["fash", "fkdo", "mjgm"],
    }


def test_transcripts_lose_their_marks_and_their_capitals(corpus, tmp_path):
    paths = recipe.prepare(corpus, tmp_path / "data")
    assert texts(paths["train-all"]) == ["yes", "rubout g m e f three nine", "o'neil"]
    assert (tmp_path / "data" / "train.txt").read_text() == "yes\no'neil\n"
    assert (tmp_path / "data" / "train-all.txt").read_text() == "yes\nrubout g m e f three nine\no'neil\n"


def test_an_utterance_is_its_cepstra(corpus, tmp_path):
    (utterance,) = read_manifest(recipe.prepare(corpus / "an4", tmp_path / "data")["dev"])
    assert isinstance(utterance, Utterance)
    assert (utterance.audio_filepath, utterance.duration) == (None, 0.25)
    cepstra = feature_files.read(utterance.features_filepath, 13)
    assert cepstra.shape == (25, 13)
    assert (cepstra == 1).all()


def test_same_bytes_every_time(corpus, tmp_path):
    first, second = recipe.prepare(corpus, tmp_path / "a"), recipe.prepare(corpus, tmp_path / "b")
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


def test_what_is_missing_or_does_not_fit_is_named(corpus, tmp_path):
    with pytest.raises(ManifestError, match=r"missing: no etc/ and feat/ in it; get the corpus from"):
        recipe.prepare(tmp_path / "missing", tmp_path)
    etc = corpus / "an4" / "etc"
    (corpus / "an4" / "feat" / "an4_clstk" / "fash" / "an251-fash-b.mfc").unlink()
    with pytest.raises(ManifestError, match=r"an251-fash-b\.mfc: no such file"):
        recipe.prepare(corpus, tmp_path)
    whole = (etc / "an4_train.transcription").read_text()
    (etc / "an4_train.transcription").write_text(whole.replace("(an251-fash-b)", "(an999-fash-b)"))
    with pytest.raises(ManifestError, match="does not belong to an4_clstk/fash/an251-fash-b"):
        recipe.prepare(corpus, tmp_path)
    (etc / "an4_train.transcription").write_text("".join(whole.splitlines(keepends=True)[:2]))
    with pytest.raises(ManifestError, match="lists 3 utterances and 2 transcripts, not 3"):
        recipe.prepare(corpus, tmp_path)
    (etc / "an4_test.fileids").unlink()
    (etc / "an4_train.transcription").write_text(whole)
    with pytest.raises(ManifestError, match="no such file"):
        recipe.prepare(corpus, tmp_path)


def test_command_prints_sets_and_one_sentence_on_failure(corpus, tmp_path, monkeypatch, capsys):
    command = ["prepare.py", "--output-dir", str(tmp_path / "data"), "--corpus-dir"]
    monkeypatch.setattr(sys, "argv", [*command, str(corpus)])
    assert recipe.main() == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:2] == ["train", "2"]
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "missing")])
    assert recipe.main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_real_corpus_counts(corpora, tmp_path):
    paths = recipe.prepare(corpora / "an4", tmp_path)
    sets = {name: read_manifest(path) for name, path in paths.items()}
    assert {name: len(members) for name, members in sets.items()} == {
        "train": 856,
        "dev": 92,
        "test": 130,
        "train-all": 948,
    }
    assert sum(len(utterance.text.split()) for utterance in sets["test"]) == 773
    speakers = {name: {utterance.speaker for utterance in members} for name, members in sets.items()}
    assert speakers["dev"] == set(recipe.DEV_SPEAKERS)
    assert not speakers["test"] & speakers["train-all"]
    assert not speakers["dev"] & speakers["train"]
    assert set("".join(texts(paths["test"]))) <= set("".join(texts(paths["train"])))
