"""From settings to a trained model: the only Trainer, and what is left when it ends."""

import logging
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from torch.utils.data import DataLoader

from asr import checkpoint
from asr.acoustic import pick_device
from asr.data import Example
from asr.errors import ConfigError
from asr.settings import Settings, load_yaml, save_yaml, to_dict
from asr.training.callbacks import STATE, DevScorer, Progress, StopOnSignal
from asr.training.parts import Parts, say

CONFIG = "config.yaml"
_MAY_DIFFER = ("device", "threads", "num_workers", "cache_audio", "test", "run_dir")
"""Settings that a resumed run may change, since they change no result."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves behind."""

    model_dir: Path
    """The best model by dev WER."""
    dev_wer: float
    best_epoch: int
    minutes: float
    interrupted: int
    """The signal that ended it before its time, 0 for none."""


class _EpochData(lightning.LightningDataModule):
    """Hands Lightning a new loader each epoch."""

    def __init__(self, parts: Parts):
        super().__init__()
        self.parts = parts

    def train_dataloader(self) -> "DataLoader[Example]":
        assert self.trainer is not None
        return self.parts.loader(self.trainer.current_epoch)


def train(settings: Settings, *, console: Console | None = None) -> TrainingResult:
    """Train until the last epoch, the early stop or Ctrl-C; go on where a run of the same settings was left.

    ``run_dir`` then holds ``best/`` and ``last/`` (model directories), ``config.yaml``, ``metrics.csv``,
    ``tensorboard/`` and ``last.ckpt`` (the state to go on from).

    Raises:
        ConfigError: a set is not given, or ``run_dir`` holds a training of other settings.
        ManifestError, AudioError, VocabularyError: the data cannot be trained on.
    """
    console = console or Console(stderr=True)
    run_dir = Path(settings.run_dir)
    _refuse_other_settings(run_dir, settings)
    parts = Parts(settings, console)
    run_dir.mkdir(parents=True, exist_ok=True)
    save_yaml(settings, run_dir / CONFIG)
    _describe(parts, console)
    tell = partial(say, console)
    scorer = DevScorer(parts.model, parts.dev, run_dir, tell)
    stop = StopOnSignal(tell)
    started = time.perf_counter()
    _fit(parts, [scorer, stop, Progress(parts.durations, settings.trainer.max_epochs, console, scorer)])
    minutes = (time.perf_counter() - started) / 60
    best = checkpoint.resolve(run_dir)
    return TrainingResult(best, scorer.best[0], scorer.best_epoch, minutes, stop.received)


def _fit(parts: Parts, callbacks: list[Any]) -> None:
    state = Path(parts.settings.run_dir) / STATE
    _quieten()
    with warnings.catch_warnings():
        _expect_warnings()
        _trainer(parts.settings, callbacks).fit(
            parts.module,
            datamodule=_EpochData(parts),
            ckpt_path=state if state.exists() else None,
            weights_only=True,
        )


def _trainer(settings: Settings, callbacks: list[Any]) -> lightning.Trainer:
    trainer = settings.trainer
    device = pick_device(trainer.device)
    return lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1,
        max_epochs=trainer.max_epochs,
        precision="bf16-mixed" if trainer.precision == "bf16" else "32-true",
        callbacks=callbacks,
        logger=TensorBoardLogger(settings.run_dir, name="tensorboard", version=""),
        reload_dataloaders_every_n_epochs=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )


def _refuse_other_settings(run_dir: Path, settings: Settings) -> None:
    if not (run_dir / STATE).exists():
        return
    difference = _difference(load_yaml(run_dir / CONFIG), to_dict(settings))
    if difference:
        raise ConfigError(
            f"{run_dir} holds a training with other settings ({difference}); "
            "give another run_dir=, or remove the folder to start again."
        )


def _difference(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> str:
    """The first setting that differs, as ``key: old, now new``; empty when none does."""
    for key, value in new.items():
        if isinstance(value, dict):
            found = _difference(old.get(key) or {}, value, f"{prefix}{key}.")
            if found:
                return found
        elif old.get(key) != value and key not in _MAY_DIFFER:
            return f"{prefix}{key}: {old.get(key)}, now {value}"
    return ""


def _describe(parts: Parts, console: Console) -> None:
    seconds = sum(parts.durations)
    batches = parts.batches(1)
    padding = 1 - seconds / sum(map(parts.padded_seconds, batches))
    parameters = sum(p.numel() for p in parts.module.parameters())
    say(
        console,
        f"{len(parts.train)} utterances, {seconds / 3600:.2f} h, {len(batches)} batches an epoch "
        f"({100 * padding:.1f} % padding); {len(parts.dev)} dev utterances; "
        f"{len(parts.model.vocabulary)} symbols, {parameters / 1e6:.2f} M parameters",
    )


def _quieten() -> None:
    """Lightning's banners say nothing that a person who trains needs."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _expect_warnings() -> None:
    """Third-party warnings that are known, each with why it does not matter here."""
    for pattern in (
        ".*does not have many workers.*",  # small corpora load faster than a worker starts
        ".*`training_step` returned `None`.*",  # on purpose: no utterance of the batch has a finite loss
        ".*`isinstance.treespec, LeafSpec.` is deprecated.*",  # Lightning 2.6 on torch 2.11
    ):
        warnings.filterwarnings("ignore", pattern)
