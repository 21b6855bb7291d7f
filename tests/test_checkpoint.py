"""A model directory: the same bits back, whole or not at all, and no code of a stranger's."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from toys import SMALL, VOCABULARY, random_model, utter

from asr import checkpoint
from asr.errors import CheckpointError
from asr.features import FeatureSettings
from asr.models import ModelSettings
from asr.text import Vocabulary

CLIP = utter("cd bad")


@pytest.fixture
def model_dir(tmp_path) -> Path:
    folder = tmp_path / "model"
    checkpoint.save(folder, random_model(), "# A card\n")
    return folder


def edit_config(folder: Path, **changes) -> None:
    path = folder / checkpoint.CONFIG
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def heard(folder: Path) -> np.ndarray:
    return checkpoint.load(folder).acoustic.log_probs([CLIP])[0]


@pytest.mark.parametrize(
    ("features", "model"),
    [
        ({}, {}),
        ({"cmvn": "stored", "delta_order": 1}, {"cell": "gru", "projection": 6}),
        ({"kind": "log_mel", "cmvn": "utterance"}, {"bidirectional": False, "layer_norm": False}),
    ],
)
def test_what_is_saved_is_heard_again_bit_for_bit(tmp_path, features, model):
    small = {"num_layers": 1, "hidden_size": 8, "num_channels": 8}
    saved = random_model(FeatureSettings(sample_rate=8000, **features), ModelSettings(**small, **model))
    if features.get("cmvn") == "stored":
        torch.nn.init.normal_(saved.acoustic.front_end.mean)
    checkpoint.save(tmp_path / "model", saved, "card")
    loaded = checkpoint.load(tmp_path / "model")
    assert (loaded.settings, loaded.vocabulary) == (saved.settings, saved.vocabulary)
    assert not loaded.acoustic.training
    np.testing.assert_array_equal(
        loaded.acoustic.log_probs([CLIP])[0], saved.acoustic.log_probs([CLIP])[0], strict=True
    )


def test_the_directory_holds_four_readable_files(model_dir):
    assert sorted(os.listdir(model_dir)) == [
        "README.md",
        "config.yaml",
        "vocabulary.txt",
        "weights.safetensors",
    ]
    assert os.listdir(model_dir.parent) == ["model"]
    assert (model_dir / "README.md").read_text() == "# A card\n"
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in model_dir.iterdir())
    assert (
        yaml.safe_load((model_dir / "config.yaml").read_text())["format_version"] == checkpoint.FORMAT_VERSION
    )


def test_half_is_half_the_size_and_nearly_the_same(tmp_path):
    model = random_model(model=ModelSettings(num_layers=1, hidden_size=128, num_channels=64))
    checkpoint.save(tmp_path / "whole", model, "")
    checkpoint.save(tmp_path / "half", model, "", half=True)
    sizes = {name: (tmp_path / name / checkpoint.WEIGHTS).stat().st_size for name in ("whole", "half")}
    assert sizes["half"] / sizes["whole"] == pytest.approx(0.5, abs=0.01)
    loaded = checkpoint.load(tmp_path / "half").acoustic
    assert all(weight.dtype == torch.float32 for weight in loaded.parameters())
    expected = model.acoustic.log_probs([CLIP])[0]
    np.testing.assert_allclose(loaded.log_probs([CLIP])[0], expected, atol=0.2)
    assert np.abs(loaded.log_probs([CLIP])[0] - expected).max() > 0


def disk_full(*_) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    "step", ["safetensors.torch.save_file", "asr.checkpoint.save_yaml", "asr.checkpoint._replace"]
)
def test_a_save_that_fails_leaves_the_old_model(model_dir, monkeypatch, step):
    before = heard(model_dir)
    with monkeypatch.context() as patch:
        patch.setattr(step, lambda *_, **__: disk_full())
        other = random_model(model=ModelSettings(num_layers=1, hidden_size=8, num_channels=8))
        with pytest.raises(CheckpointError, match=r"model: .*No space left on device.*; make room"):
            checkpoint.save(model_dir, other, "new")
    np.testing.assert_array_equal(heard(model_dir), before)
    assert os.listdir(model_dir.parent) == ["model"]


def test_a_kill_between_the_two_renames_leaves_the_old_model(model_dir, monkeypatch):
    class Killed(BaseException):
        pass

    def rename(source, target):
        if Path(source).name.endswith(".partial"):
            raise Killed
        os.rename(source, target)

    before = heard(model_dir)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.os, "replace", lambda *paths: rename(*paths))
        patch.setattr(checkpoint, "save_yaml", lambda *_, **__: None)
        with pytest.raises(Killed):
            checkpoint.save(model_dir, random_model(), "new")
    assert not model_dir.exists()
    np.testing.assert_array_equal(heard(model_dir), before)
    checkpoint.save(model_dir, random_model(), "new")
    assert (model_dir / "README.md").read_text() == "new"
    assert os.listdir(model_dir.parent) == ["model"]


def test_a_save_replaces_the_whole_directory(model_dir):
    (model_dir / "stale.txt").write_text("of the old model")
    smaller = random_model(vocabulary=Vocabulary("ab"))
    checkpoint.save(model_dir, smaller, "new")
    assert not (model_dir / "stale.txt").exists()
    assert checkpoint.load(model_dir).vocabulary == Vocabulary("ab")


def test_what_is_no_model_is_not_replaced(tmp_path):
    (tmp_path / "notes.txt").write_text("important")
    with pytest.raises(CheckpointError, match="holds something that is no model"):
        checkpoint.save(tmp_path, random_model(), "")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file/model: the model cannot be written"):
        checkpoint.save(tmp_path / "file" / "model", random_model(), "")


@pytest.mark.parametrize("name", ["config.yaml", "weights.safetensors"])
def test_a_folder_without_them_is_no_model(model_dir, name):
    (model_dir / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{model_dir}: no model directory .*{name}"):
        checkpoint.load(model_dir)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("weights.safetensors", cut),
        ("weights.safetensors", lambda path: path.write_bytes(b"")),
        ("weights.safetensors", lambda path: path.write_bytes(b"version https://git-lfs")),
        ("vocabulary.txt", lambda path: path.unlink()),
        ("vocabulary.txt", lambda path: path.write_text("a\nb\n")),
        ("vocabulary.txt", lambda path: path.write_bytes(b"\xff\xfe")),
        ("vocabulary.txt", lambda path: path.write_text("<blank>\na\nb\n")),
        ("config.yaml", cut),
        ("config.yaml", lambda path: path.write_text("features: [")),
        ("config.yaml", lambda path: path.write_text("")),
    ],
)
def test_damage_is_named_with_its_folder(model_dir, name, damage):
    damage(model_dir / name)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(model_dir)
    assert str(model_dir) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 3}, "format 3 .*update asr"),
        ({"format_version": None}, "format None"),
        ({"format_version": "1"}, "format 1 "),
        ({"format_version": 0}, "format 0"),
        ({"modle": {}}, "modle .*did you mean model"),
        ({"model": {"cell": "mamba"}}, "mamba"),
        ({"features": 3}, "features"),
    ],
)
def test_a_format_or_setting_that_is_unknown_is_named(model_dir, changes, message):
    edit_config(model_dir, **changes)
    with pytest.raises(CheckpointError, match=rf"{model_dir}.*{message}"):
        checkpoint.load(model_dir)


def test_a_model_of_format_1_has_no_digests_and_is_read(model_dir):
    before = heard(model_dir)
    path = model_dir / checkpoint.CONFIG
    values = yaml.safe_load(path.read_text())
    assert values.pop("sha256").keys() == {"weights.safetensors", "vocabulary.txt"}
    path.write_text(yaml.safe_dump(values | {"format_version": 1}))
    assert np.array_equal(heard(model_dir), before)


def test_weights_of_another_shape_are_named(model_dir):
    edit_config(model_dir, model={"num_layers": 2, "hidden_size": 8, "num_channels": 8})
    with pytest.raises(CheckpointError, match=r"weights.safetensors does not fit config.yaml .*network"):
        checkpoint.load(model_dir)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_loading_runs_no_code_of_the_author(model_dir, tmp_path):
    sprung = tmp_path / "sprung"
    torch.save(Trap(sprung), model_dir / checkpoint.WEIGHTS)
    with pytest.raises(CheckpointError):
        checkpoint.load(model_dir)
    (model_dir / checkpoint.CONFIG).write_text(f"!!python/object/apply:os.mkdir ['{sprung}']")
    with pytest.raises(CheckpointError):
        checkpoint.load(model_dir)
    assert not sprung.exists()


def test_settings_are_read_without_the_weights(model_dir):
    (model_dir / checkpoint.WEIGHTS).write_bytes(b"none")
    assert checkpoint.load_settings(model_dir).model == SMALL


def test_a_run_directory_is_its_best_model_or_else_its_last(model_dir, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(model_dir, run / "last")
    assert checkpoint.resolve(run) == run / "last"
    shutil.copytree(model_dir, run / "best")
    assert checkpoint.resolve(run) == run / "best"
    assert checkpoint.resolve(str(model_dir)) == model_dir


def test_bundled_models_go_by_their_names(model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    assert checkpoint.bundled() == []
    shutil.copytree(model_dir, tmp_path / "bundled" / "digits-xx")
    assert checkpoint.bundled() == ["digits-xx"]
    assert checkpoint.load("digits-xx").vocabulary == VOCABULARY
    with pytest.raises(CheckpointError, match=r"digits-yy: no model .*bundled models: digits-xx"):
        checkpoint.load("digits-yy")
