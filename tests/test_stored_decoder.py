"""The decoder that lies in a model's directory: there and back, and every damage one sentence."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from toys import random_model, write_unigram

from asr import checkpoint, stored_decoder
from asr.decoding import BeamSettings
from asr.decoding.confidence import Calibration
from asr.errors import CheckpointError
from asr.stored_decoder import Confidence, StoredDecoder, Tuned

STORED = StoredDecoder(
    settings=BeamSettings(beam_width=12, alpha=0.0, beta=-0.25),
    confidence=Confidence(beam=Calibration(0.5, -1.0)),
    tuned=Tuned("dev.jsonl", 7, 19, 0.05, 0.1, "2026-11-21", "lm.arpa"),
)


@pytest.fixture
def lm(tmp_path: Path) -> Path:
    return write_unigram(tmp_path / "lm.arpa")


def test_what_is_saved_is_loaded(tmp_path, lm):
    written = stored_decoder.save(tmp_path, STORED, lm)
    assert written == stored_decoder.load(tmp_path) == replace(STORED, language_model="lm.bin")
    assert written.uses_beam
    decoder = stored_decoder.make_decoder(tmp_path, written)
    assert decoder.settings == STORED.settings
    assert set(decoder.language_model.words) >= {"ab", "cd", "bad", "dc"}
    assert yaml.safe_load((tmp_path / "decoder.yaml").read_text())["format_version"] == 1


def test_a_binary_of_kenlm_is_packed_already(tmp_path):
    pytest.importorskip("kenlm")
    source = Path(__file__).parent / "fixtures" / "lm" / "order3.trie.binary"
    written = stored_decoder.save(tmp_path, STORED, source)
    assert (tmp_path / "lm.bin").read_bytes() == source.read_bytes()
    assert stored_decoder.make_decoder(tmp_path, written).language_model.order == 3


def test_an_older_language_model_does_not_stay_behind(tmp_path, lm):
    stored_decoder.save(tmp_path, STORED, lm)
    stored_decoder.save(tmp_path, STORED)
    assert not (tmp_path / "lm.bin").exists()
    left_out = stored_decoder.load(tmp_path)
    assert left_out.lacks_language_model
    assert not left_out.uses_beam


def test_a_model_without_one_is_decoded_greedily(tmp_path):
    stored = stored_decoder.load(tmp_path)
    assert not stored.uses_beam
    assert stored.settings_for(False).beta == 0
    assert stored.settings_for(True) == BeamSettings()


def test_weights_chosen_with_a_language_model_are_not_used_without():
    assert STORED.settings_for(True) == STORED.settings
    alone = STORED.settings_for(False)
    assert (alone.beam_width, alone.beta) == (12, 0.0)
    without = StoredDecoder(settings=BeamSettings(beam_width=4, beta=0.5))
    assert without.settings_for(False) == without.settings
    assert without.settings_for(True) == BeamSettings(beam_width=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format 2 .*update asr"),
        ({"format_version": None}, "format None"),
        ({"decodr": "beam"}, "decodr .*did you mean decoder"),
        ({"settings": {"alpah": 1}}, "settings.alpah .*did you mean settings.alpha"),
        ({"settings": {"alpha": "much"}}, "settings.alpha='much'"),
        ({"settings": {"beam_width": 0}}, "beam_width"),
        ({"confidence": {"beam": 3}}, "confidence.beam"),
        ({"decoder": "best"}, "'best' is not one of greedy, beam"),
        ({"language_model": "../lm.bin"}, "no name of a file"),
    ],
)
def test_damage_is_named_with_its_file(tmp_path, changes, message):
    stored_decoder.save(tmp_path, STORED)
    path = tmp_path / "decoder.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    with pytest.raises(CheckpointError, match=f"{path}: .*{message}"):
        stored_decoder.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"settings: [", b"\xff\xfe"])
def test_a_file_that_is_no_yaml_is_named(tmp_path, content):
    (tmp_path / "decoder.yaml").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{tmp_path}/decoder.yaml: .*Without this file"):
        stored_decoder.load(tmp_path)


def test_a_language_model_that_is_lost_or_cut_is_named(tmp_path, lm):
    written = stored_decoder.save(tmp_path, STORED, lm)
    path = tmp_path / "lm.bin"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"lm\.bin: .*asr tune"):
        stored_decoder.make_decoder(tmp_path, written)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"lm\.bin: .*asr tune"):
        stored_decoder.make_decoder(tmp_path, written)


def test_revising_a_model_changes_all_of_it_or_nothing(tmp_path, lm):
    checkpoint.save(tmp_path / "run" / "best", random_model(), "card")
    with checkpoint.revise(tmp_path / "run") as folder:
        stored_decoder.save(folder, STORED, lm)
        assert not (tmp_path / "run" / "best" / "decoder.yaml").exists()
    assert stored_decoder.load(tmp_path / "run" / "best").settings == STORED.settings
    with pytest.raises(CheckpointError, match="nowhere"), checkpoint.revise(tmp_path / "run") as folder:
        (folder / "weights.safetensors").write_bytes((folder / "nowhere").read_bytes())
    assert stored_decoder.load(tmp_path / "run" / "best").settings == STORED.settings
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["best"]


def test_a_revised_copy_leaves_the_model_alone(tmp_path):
    checkpoint.save(tmp_path / "model", random_model(), "card")
    for _ in range(2):
        with checkpoint.revise(tmp_path / "model", tmp_path / "new" / "copy") as folder:
            stored_decoder.save(folder, STORED)
    assert not (tmp_path / "model" / "decoder.yaml").exists()
    assert checkpoint.load(tmp_path / "new" / "copy").vocabulary
    assert (tmp_path / "new" / "copy" / "README.md").read_text() == "card"


def test_a_folder_of_other_things_is_not_replaced(tmp_path):
    checkpoint.save(tmp_path / "model", random_model(), "card")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with (
        pytest.raises(CheckpointError, match="thesis: holds something that is no model"),
        checkpoint.revise(tmp_path / "model", tmp_path / "thesis"),
    ):
        pytest.fail("it was entered")
    assert (tmp_path / "thesis" / "chapter.tex").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written there"):
        checkpoint.check_writable(tmp_path / "file" / "x")
