"""Every setting of a training in one typed tree, and its way to YAML and back.

The groups that belong to a room of science live beside its code: features, text, model, augment; so does trainer.
YAML is read with the safe loader and checked key by key: an unknown one is an error that names the nearest.
"""

import dataclasses
import difflib
import math
import os
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from asr.augment_settings import AugmentSettings
from asr.errors import ConfigError
from asr.feature_settings import FeatureSettings
from asr.model_settings import ModelSettings
from asr.onnx_file import read_text
from asr.text import TextSettings
from asr.trainer_settings import TrainerSettings
from asr.whole_files import write_text
from asr.wording import printable

T = TypeVar("T")


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Builds no objects. libyaml's, where there is one, takes a tenth of the time."""


@dataclass(frozen=True)
class DataSettings:
    """What is trained on, and in what portions."""

    train: str | None = None
    """Manifest of the training set, or tar files of recordings and texts: ``shards/train-{000..012}.tar``."""
    dev: str | None = None
    """Manifest that the best epoch is chosen on."""
    test: str | None = None
    """Manifest that is looked at once, after training."""
    batch_seconds: float = 160.0
    """Seconds of audio a batch, its padding included."""
    batch_utterances: int = 64
    """Utterances a batch at most: short ones would else come by the hundred and take few steps."""
    sort_first_epoch: bool = True
    """Short utterances first in the first epoch: CTC finds its alignments sooner."""
    shuffle_window: int = 10_000
    """Utterances that are sorted and shuffled together where the set lies in tar files."""
    num_workers: int = 0
    """Processes that load audio; 0 loads in the main one."""
    cache_audio: bool = True
    """Keep decoded audio in memory (230 MB an hour at 16 kHz), or features where those are stored.

    Not what comes out of tar files."""
    feature_cache: str | None = None
    """Folder to store features in, so that no epoch and no later training decodes audio again; null: none.

    Not used where augmentation changes waveforms, nor with dither."""

    def __post_init__(self) -> None:
        if self.batch_seconds <= 0 or min(self.batch_utterances, self.shuffle_window) < 1:
            raise ConfigError("data: batch_seconds, batch_utterances and shuffle_window must be positive.")
        if self.num_workers < 0:
            raise ConfigError("data.num_workers must not be negative.")


@dataclass(frozen=True)
class Settings:
    """One training, whole."""

    features: FeatureSettings = field(default_factory=FeatureSettings)
    text: TextSettings = field(default_factory=TextSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    seed: int = 1
    run_dir: str = "runs/default"
    """Where the models, the log and the pictures of this training go."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed={self.seed} must lie between 0 and 2^63 - 1.")
        _check_streaming(self.features, self.model)
        _check_kind(self.text, self.model)
        _check_chunks(self.trainer, self.model)
        _check_consistency(self.trainer, self.model)


@dataclass(frozen=True)
class RecognizerSettings:
    """What a model directory needs to remember: the parts of ``Settings`` that change what is heard."""

    features: FeatureSettings = field(default_factory=FeatureSettings)
    text: TextSettings = field(default_factory=TextSettings)
    model: ModelSettings = field(default_factory=ModelSettings)

    def __post_init__(self) -> None:
        _check_streaming(self.features, self.model)
        _check_kind(self.text, self.model)


def _check_kind(text: TextSettings, model: ModelSettings) -> None:
    if (model.kind == "classifier") != (text.units == "labels"):
        raise ConfigError(
            f"model.kind={model.kind} does not go with text.units={text.units}: a classifier, and nothing else, has "
            "labels; model=classify sets both."
        )


def _check_chunks(trainer: TrainerSettings, model: ModelSettings) -> None:
    asked = f"trainer.chunk_seconds={trainer.chunk_seconds:g}"
    if trainer.chunk_seconds and model.bidirectional:
        raise ConfigError(
            f"{asked} carries a state from chunk to chunk, and two directions need the end first; "
            "set model.bidirectional=false, or model=lstm_streaming."
        )
    if trainer.chunk_seconds and model.kind != "ctc":
        raise ConfigError(
            f"{asked}: a model of kind {model.kind} needs the whole utterance; "
            "take model.kind=ctc, or chunk_seconds=0."
        )


def _check_consistency(trainer: TrainerSettings, model: ModelSettings) -> None:
    if trainer.consistency and model.kind == "seq2seq" and not model.attention.ctc_weight:
        raise ConfigError(
            f"trainer.consistency={trainer.consistency:g} compares the scores of CTC, which here only listens; "
            "set model.attention.ctc_weight, or consistency=0."
        )


def _check_streaming(features: FeatureSettings, model: ModelSettings) -> None:
    if model.lookahead and features.whole_utterance:
        raise ConfigError(
            f"model.lookahead={model.lookahead} is for models that run while somebody speaks, and "
            f"{features.whole_utterance} needs the whole utterance; set {features.streamable_instead}."
        )


def build(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """A settings dataclass from plain nested values, each converted to its field's type.

    Raises:
        ConfigError: a key is unknown (the nearest known one is named) or a value is of another type.
    """
    kinds = typing.get_type_hints(cls)
    arguments = {}
    for key, value in values.items():
        path = f"{where}{printable(str(key))}"
        if key not in kinds:
            raise ConfigError(f"{path} is no setting{nearest(str(key), kinds, where)}")
        arguments[key] = _convert(kinds[key], value, path)
    return cls(**arguments)


def nearest(key: str, known: typing.Iterable[str], where: str = "") -> str:
    """The end of a sentence on a misspelt key: ``; did you mean trainer.max_epochs?``, or what there is."""
    known = sorted(known)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {where}{close[0]}?" if close else f"; there is {', '.join(known)}."


def to_dict(settings: Any) -> dict[str, Any]:
    """Plain nested values, fit for YAML and JSON."""
    return dataclasses.asdict(settings)


def to_yaml(settings: Any, **header: Any) -> str:
    """What ``save_yaml`` writes."""
    return str(yaml.safe_dump(header | to_dict(settings), sort_keys=False, allow_unicode=True))


def save_yaml(settings: Any, path: str | os.PathLike[str], **header: Any) -> None:
    """The settings in their declared order, after the ``header`` keys; written beside, then renamed."""
    write_text(path, to_yaml(settings, **header))


def load_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A mapping read without building any objects; out of an exported model too.

    Raises:
        CheckpointError: the exported model that it should lie in is damaged.
        ConfigError: the file is missing or is not a YAML mapping.
    """
    try:
        values = _parsed(read_text(Path(path)))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({str(error).splitlines()[0]}).") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: not a YAML mapping.")
    return values


def _parsed(text: str) -> Any:
    """No aliases are followed: nine lines of them can stand for more than memory holds."""
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, _LOADER)):
        raise yaml.YAMLError("settings have no aliases")
    return _LOADER(text).get_single_data()


def _convert(kind: Any, value: Any, path: str) -> Any:
    choices = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None and type(None) in choices:
        return None
    if typing.get_origin(kind) is tuple:
        members = [value] if isinstance(value, str | float | int) else value
        if not isinstance(members, Sequence):
            raise ConfigError(f"{path}={reprlib.repr(value)} is no list.")
        return tuple(_convert(typing.get_args(kind)[0], member, path) for member in members)
    if not dataclasses.is_dataclass(choices[0]):
        return _convert_leaf(choices[0], value, path)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path}={reprlib.repr(value)} is a value, but {path} is a group of settings.")
    return build(typing.cast(type, choices[0]), value, f"{path}.")


def _convert_leaf(kind: type, value: Any, path: str) -> Any:
    problem = ConfigError(f"{path}={reprlib.repr(value)} is not of type {kind.__name__}.")
    if kind is str and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    if kind is bool or isinstance(value, bool):
        if kind is bool and isinstance(value, bool):
            return value
        raise problem
    if kind is int and isinstance(value, int):
        return value  # not by way of float, which would round a large seed
    # Numbers may come as text: YAML reads 1e-3 as a string.
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise problem from None
    if not math.isfinite(number) or (kind is int and not number.is_integer()):
        raise problem
    return kind(number)
