"""The tree of settings: every value converted to its type, every key known, and YAML there and back."""

import dataclasses
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.settings import (
    DataSettings,
    RecognizerSettings,
    Settings,
    build,
    load_yaml,
    nearest,
    save_yaml,
    to_dict,
)
from asr.trainer_settings import TrainerSettings


def test_nested_values_become_nested_settings():
    settings = build(Settings, {"model": {"hidden_size": 8}, "trainer": {"max_epochs": 3}, "seed": 7})
    assert settings.model.hidden_size == 8
    assert settings.trainer.max_epochs == 3
    assert settings.seed == 7
    assert settings.features == Settings().features
    assert build(Settings, {}) == Settings()


@pytest.mark.parametrize(
    ("group", "key", "value", "expected"),
    [
        ("trainer", "learning_rate", "1e-3", 1e-3),
        ("trainer", "learning_rate", 1, 1.0),
        ("trainer", "max_epochs", 20.0, 20),
        ("trainer", "max_epochs", "20", 20),
        ("trainer", "precision", 32, "32"),
        ("model", "bidirectional", False, False),
        ("features", "f_max", None, None),
        ("features", "f_max", 3800, 3800.0),
        ("features", "f_max", "3.8e3", 3800.0),
        ("data", "train", None, None),
        ("data", "train", "a.jsonl", "a.jsonl"),
    ],
)
def test_a_value_is_converted_to_its_type(group, key, value, expected):
    settings = build(Settings, {group: {key: value}})
    converted = getattr(getattr(settings, group), key)
    assert (converted, type(converted)) == (expected, type(expected))


def test_a_large_seed_keeps_its_digits():
    assert build(Settings, {"seed": 2**53 + 1}).seed == 2**53 + 1


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_generator_takes_is_refused(seed):
    with pytest.raises(ConfigError, match=f"seed={seed} must lie"):
        build(Settings, {"seed": seed})


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("trainer", "max_epochs", 2.5),
        ("trainer", "max_epochs", "many"),
        ("trainer", "max_epochs", True),
        ("trainer", "max_epochs", None),
        ("trainer", "max_epochs", math.inf),
        ("trainer", "max_epochs", math.nan),
        ("trainer", "max_epochs", [3]),
        ("trainer", "learning_rate", math.nan),
        ("trainer", "learning_rate", "fast"),
        ("trainer", "schedule", ["cosine"]),
        ("trainer", "schedule", None),
        ("model", "bidirectional", 1),
        ("model", "bidirectional", "yes"),
        ("model", "cell", False),
        ("features", "f_max", "high"),
        ("data", "train", {"path": "a"}),
    ],
)
def test_a_value_of_another_type_is_named(group, key, value):
    with pytest.raises(ConfigError, match=rf"{group}\.{key}=.* is not of type"):
        build(Settings, {group: {key: value}})


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(
        ConfigError, match=r"trainer.max_epoch is no setting; did you mean trainer.max_epochs\?"
    ):
        build(Settings, {"trainer": {"max_epoch": 3}})
    with pytest.raises(ConfigError, match=r"modell is no setting; did you mean model\?"):
        build(Settings, {"modell": {}})
    with pytest.raises(ConfigError, match=r"xyz is no setting; there is augment, data, .*trainer"):
        build(Settings, {"xyz": 1})
    with pytest.raises(ConfigError, match=r"^3 is no setting"):
        build(Settings, {3: 1})


def test_a_value_is_no_group():
    with pytest.raises(ConfigError, match=r"model='bigru' is a value, but model is a group"):
        build(Settings, {"model": "bigru"})


def test_nearest_is_the_end_of_a_sentence():
    assert nearest("modle", ["model", "data"]) == "; did you mean model?"
    assert nearest("zzz", ["b", "a"]) == "; there is a, b."


@pytest.mark.parametrize("kind", [Settings, RecognizerSettings])
def test_yaml_and_back(tmp_path, kind):
    settings = build(kind, {"text": {"keep_characters": "'’ǃ"}, "features": {"log_floor": 1e-10}})
    save_yaml(settings, tmp_path / "s.yaml")
    assert build(kind, load_yaml(tmp_path / "s.yaml")) == settings
    assert "'’ǃ" in (tmp_path / "s.yaml").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_header_comes_first_and_the_order_is_the_declared(tmp_path):
    save_yaml(Settings(), tmp_path / "s.yaml", format_version=1)
    fields = [field.name for field in dataclasses.fields(Settings)]
    assert list(load_yaml(tmp_path / "s.yaml")) == ["format_version", *fields]


@given(st.floats(1e-12, 1e3), st.text(max_size=8), st.integers(0, 2**62))
def test_any_value_survives_yaml(rate, keep, seed):
    values = {"trainer": {"learning_rate": rate}, "text": {"keep_characters": keep}, "seed": seed}
    settings = build(Settings, values)
    assert build(Settings, yaml.safe_load(yaml.safe_dump(to_dict(settings)))) == settings


@pytest.mark.parametrize("content", [b"[1, 2]", b"", b"a: [", b"\xff\xfe\x00", b"!!python/object:os.x {}"])
def test_what_is_no_mapping_is_named(tmp_path, content):
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=str(path)):
        load_yaml(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_yaml(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        (DataSettings, {"batch_seconds": 0.0}, "batch_seconds"),
        (DataSettings, {"num_workers": -1}, "num_workers"),
        (DataSettings, {"batch_utterances": 0}, "batch_utterances"),
        (TrainerSettings, {"schedule": "linear"}, "schedule='linear' is not one of cosine"),
        (TrainerSettings, {"precision": "16"}, "precision"),
        (TrainerSettings, {"device": "gpu"}, "device"),
        (TrainerSettings, {"max_epochs": 0}, "max_epochs"),
        (TrainerSettings, {"learning_rate": 0.0}, "learning_rate"),
        (TrainerSettings, {"plateau_patience": 0}, "plateau_patience"),
        (TrainerSettings, {"patience": -1}, "patience"),
        (TrainerSettings, {"warmup_epochs": -1.0}, "warmup_epochs"),
        (TrainerSettings, {"clip_norm": -1.0}, "clip_norm"),
        (TrainerSettings, {"threads": -1}, "threads"),
    ],
)
def test_values_out_of_range_are_named(kind, changes, named):
    with pytest.raises(ConfigError, match=named):
        kind(**changes)
