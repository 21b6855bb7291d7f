"""Trainings of the toy language that take a second or two, and what to ask of them afterwards."""

import csv
import dataclasses
import functools
import io
from pathlib import Path

from rich.console import Console
from toys import FEATURES, SMALL, random_texts, write_corpus

from asr import training
from asr.augment import AugmentSettings
from asr.settings import DataSettings, Settings
from asr.trainer_settings import TrainerSettings

AUGMENT = AugmentSettings(
    speed_min=0.9, speed_max=1.1, gain_min=-6.0, noise_probability=0.5, time_masks=1, feature_masks=1
)
STEPS_PER_EPOCH = 5


def write_sets(folder: Path) -> Path:
    """The sets train, dev and four, the same wherever they are written."""
    for seed, (name, count) in enumerate({"train": 24, "dev": 6, "four": 4}.items(), 1):
        write_corpus(folder / name, random_texts(count, seed))
    return folder


def settings_for(corpus: Path, own_run_dir: Path, **groups) -> Settings:
    """Groups of changes over a training of a second or two."""
    data = {"batch_seconds": 6.0} | groups.pop("data", {})
    for name in ("train", "dev"):
        data.setdefault(name, str(corpus / name / "manifest.jsonl"))
    trainer = {"max_epochs": 4, "learning_rate": 1e-2, "warmup_epochs": 1.0, "device": "cpu", "threads": 1}
    trainer["watch_gradients"] = False
    return Settings(
        features=groups.pop("features", FEATURES),
        model=dataclasses.replace(SMALL, **groups.pop("model", {})),
        data=DataSettings(**data),
        trainer=TrainerSettings(**trainer | groups.pop("trainer", {})),
        augment=groups.pop("augment", AugmentSettings()),
        run_dir=str(groups.pop("run_dir", own_run_dir)),
        **groups,
    )


def make_settings(tmp_path: Path):
    """A function that makes settings of trainings in ``tmp_path``, their corpus written."""
    return functools.partial(settings_for, write_sets(tmp_path / "corpus"), tmp_path / "run")


def train(settings: Settings) -> tuple[training.TrainingResult, str]:
    """The result, and what was printed."""
    printed = io.StringIO()
    result = training.train(settings, console=Console(file=printed))
    return result, printed.getvalue()


def rows(settings: Settings) -> list[dict[str, float]]:
    with open(Path(settings.run_dir) / "metrics.csv", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def weights(settings: Settings, name: str = "last") -> bytes:
    return (Path(settings.run_dir) / name / "weights.safetensors").read_bytes()


def without_seconds(table: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in table]


def left_behind(settings: Settings) -> tuple:
    """What a run that was killed must have in common with one that was not."""
    return weights(settings), weights(settings, "best"), without_seconds(rows(settings))
