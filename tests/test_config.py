"""Every file of conf/ composes; what the user misspells is refused with the nearest name."""

import dataclasses
import operator

import pytest
import yaml

from asr import config
from asr.acoustic import TorchAcousticModel
from asr.errors import ConfigError
from asr.settings import Settings

CHOICES = [f"{group}={choice}" for group in config.groups() for choice in config.choices(group)]
RECIPES = config.choices("recipe")


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_of_every_group_composes_and_builds_a_model(choice):
    settings = config.compose([choice])
    acoustic = TorchAcousticModel(settings.features, settings.model, 30)
    assert acoustic.sample_rate == settings.features.sample_rate


@pytest.mark.parametrize("path", sorted(config.conf_dir().rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_is_reached_and_says_what_it_is_for(path):
    group = path.parent.name
    assert path.name == "config.yaml" or f"{group}={path.stem}" in CHOICES
    assert yaml.safe_load(path.read_text()) is None or isinstance(yaml.safe_load(path.read_text()), dict)


def _of_these(found: dict, wanted: dict) -> dict:
    """Only the keys that are wanted, in inner mappings too."""
    return {
        key: _of_these(found[key], value) if isinstance(value, dict) else found[key]
        for key, value in wanted.items()
    }


@pytest.mark.parametrize("group", [group for group in config.groups() if group != "recipe"])
def test_every_value_of_a_choice_arrives(group):
    for choice in config.choices(group):
        written = yaml.safe_load((config.conf_dir() / group / f"{choice}.yaml").read_text()) or {}
        written = written.get(group, written)  # a choice may set what another group must be, too
        arrived = dataclasses.asdict(getattr(config.compose([f"{group}={choice}"]), group))
        values = {key: value for key, value in written.items() if key != "defaults"}
        assert _of_these(arrived, values) == values


def test_nothing_given_gives_the_defaults_of_conf():
    settings = config.compose()
    assert isinstance(settings, Settings)
    assert settings.features.delta_order == 2
    assert settings.model.cell == "lstm"
    assert settings.data.train is None


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("model", config.choices("model"))
def test_every_recipe_takes_every_model(recipe, model):
    # an4 asks for what a stream cannot have, and is told so (below).
    streamed = ["features.cmvn=stored"] if (recipe, model) == ("an4", "lstm_streaming") else []
    settings = config.compose([f"recipe={recipe}", f"model={model}", *streamed])
    chosen = yaml.safe_load((config.conf_dir() / "model" / f"{model}.yaml").read_text())
    chosen = chosen.get("model", chosen)
    assert settings.model.cell == chosen["cell"]
    assert settings.model.bidirectional == chosen["bidirectional"]


def test_a_streaming_model_brings_features_that_stream():
    settings = config.compose(["features=log_mel", "model=lstm_streaming"])
    assert settings.features.cmvn == "stored"
    assert settings.model.lookahead == 10
    with pytest.raises(
        ConfigError, match=r"features.cmvn=utterance needs the whole .*; set features.cmvn=stored"
    ):
        config.compose(["recipe=an4", "model=lstm_streaming"])
    with pytest.raises(ConfigError, match=r"features.log=db needs the whole .*; set features.log=natural"):
        config.compose(["model=lstm_streaming", "features.log=db"])
    with pytest.raises(ConfigError, match=r"set model.bidirectional=false"):
        config.compose(["model=bilstm", "model.lookahead=5"])


def test_a_recipe_with_another_model_and_fewer_epochs():
    settings = config.compose(["recipe=fsdd", "model=bigru", "trainer.max_epochs=20"])
    assert settings.model.cell == "gru"
    assert settings.trainer.max_epochs == 20
    assert settings.features.sample_rate == 8000
    assert settings.model.subsampling == 2
    assert settings.run_dir == "runs/fsdd"


def test_what_the_user_chooses_wins_over_the_recipe():
    settings = config.compose(["augment=none", "recipe=fsdd", "trainer=plateau", "features=mfcc"])
    assert not settings.augment.changes_waveforms
    assert settings.features.sample_rate == 16000
    assert settings.trainer.schedule == "plateau"


@pytest.mark.parametrize(
    ("override", "group", "key", "expected"),
    [
        ("features.f_max=null", "features", "f_max", None),
        ("features.f_max=3800", "features", "f_max", 3800.0),
        ("trainer.learning_rate=1e-3", "trainer", "learning_rate", 1e-3),
        ("trainer.learning_rate=5.0E-4", "trainer", "learning_rate", 5e-4),
        ("model.bidirectional=false", "model", "bidirectional", False),
        ("model.bidirectional=True", "model", "bidirectional", True),
        ("trainer.precision=32", "trainer", "precision", "32"),
        ("trainer.precision=bf16", "trainer", "precision", "bf16"),
        ("augment.gain_min=-3", "augment", "gain_min", -3.0),
        ("data.train=/data/my corpus/train.jsonl", "data", "train", "/data/my corpus/train.jsonl"),
        ("data.train=a-b_c+d@e%f.jsonl", "data", "train", "a-b_c+d@e%f.jsonl"),
        ("data.train=corpus=1/train.jsonl", "data", "train", "corpus=1/train.jsonl"),
        ("data.train=corpus (1), {a}/[x].jsonl", "data", "train", "corpus (1), {a}/[x].jsonl"),
        ("data.train=it's/train.jsonl", "data", "train", "it's/train.jsonl"),
        ("data.train=ŋ/ɓ.jsonl", "data", "train", "ŋ/ɓ.jsonl"),
        ("data.train='quoted name.jsonl'", "data", "train", "quoted name.jsonl"),
        ("data.train=2024", "data", "train", "2024"),
        ("data.train=C:\\corpus\\new", "data", "train", "C:\\corpus\\new"),
        ("data.train=a\\'b\\", "data", "train", "a\\'b\\"),
        ("text.keep_characters='’-", "text", "keep_characters", "'’-"),
        ("text.keep_characters=", "text", "keep_characters", ""),
    ],
)
def test_values_arrive_as_they_were_written(override, group, key, expected):
    assert getattr(getattr(config.compose([override]), group), key) == expected


def test_the_last_of_two_overrides_holds():
    assert config.compose(["seed=2", "seed=3"]).seed == 3


def test_every_setting_can_be_given():
    values = {key: operator.attrgetter(key)(Settings()) for key in config.setting_keys() if key != "run_dir"}
    spelled = {None: "null", (): "[]"}
    written = [f"{key}={spelled.get(value, value)}" for key, value in values.items()]
    assert config.compose([*written, "run_dir=runs/default"]) == Settings()
    assert len(values) > 60


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.max_epoch=20", r"trainer.max_epoch is no setting; did you mean trainer.max_epochs\?"),
        ("max_epochs=20", r"max_epochs is no setting; did you mean trainer.max_epochs\?"),
        ("modle=bigru", r"modle is no setting; did you mean model"),
        ("model=bigur", r"model=bigur: there is no such choice; did you mean model=bigru\?"),
        ("recipe=timit9", r"recipe=timit9: there is no such choice"),
        ("model=", "there is no such choice"),
        ("fsdd", "'fsdd' is no setting; write key=value"),
        ("+trainer.max_epochs=2", r"did you mean trainer.max_epochs\?"),
        ("~trainer.max_epochs", "write key=value"),
        ("trainer.max_epochs=many", "trainer.max_epochs='many' is not of type int"),
        ("trainer.max_epochs=1,2", "trainer.max_epochs"),
        ("trainer.max_epochs=", "trainer.max_epochs"),
        ("trainer.schedule=linear", "schedule='linear' is not one of cosine"),
        ("model.dropout=${nowhere}", "nowhere"),
        ("trainer.max_epochs=[3", "trainer.max_epochs"),
    ],
)
def test_what_is_wrong_is_named(override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config.compose([override])
    assert "\n" not in str(caught.value)


def test_composing_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config.compose(["recipe=fsdd"])
    assert list(tmp_path.iterdir()) == []
    assert config.compose(["recipe=yesno"]).run_dir == "runs/yesno"
    assert config.compose() == config.compose()
