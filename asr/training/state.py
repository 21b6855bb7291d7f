"""What a run goes on from: one file, whole or not there, and the settings and the data that it belongs to."""

import hashlib
import io
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback

from asr.errors import ConfigError
from asr.manifest import Utterance
from asr.settings import Settings, build, load_yaml, to_dict
from asr.training import distributed
from asr.training.files import written_beside

STATE, CONFIG, DATA = "last.ckpt", "config.yaml", "data.json"
_MAY_DIFFER = (
    *("device", "threads", "num_workers", "cache_audio", "feature_cache", "test", "run_dir"),
    "save_minutes",
)
"""Settings that a resumed run may change, since they change no result."""


class StateFile(TorchCheckpointIO):
    """Writes the state beside and renames it; Lightning's own way copies it from the system's temporary folder."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Raise ``CheckpointError`` and leave the old state where the new one cannot be written."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with written_beside(Path(path)) as partial:
            partial.write_bytes(content.getbuffer())


class StateSaver(Callback):
    """Writes the state when all else that an epoch leaves is written, and inside an epoch every so many minutes.

    A run that is killed repeats what came after. One that is told to stop inside an epoch loses nothing: its state is
    written before the dev set is scored, for which there may be no time.
    """

    def __init__(self, run_dir: Path, minutes: float):
        self.run_dir = run_dir
        self.seconds = 60 * minutes or math.inf
        self.saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write after a step, if it is time or the last one; the end of an epoch has its own time."""
        is_time = trainer.should_stop or time.monotonic() - self.saved > self.seconds
        if is_time and pl_module.ends_step(batch_idx) and not trainer.is_last_batch:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Leave an epoch alone that was cut short: its state is that of its last step."""
        if trainer.is_last_batch:
            self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self.run_dir / STATE)
        self.saved = time.monotonic()


def settings_of(run_dir: Path) -> Settings | None:
    """The settings of the run that can go on there, if there is one.

    Raises:
        ConfigError: some of the processes of a training see a run there, and others none.
    """
    if distributed.total((run_dir / STATE).exists())[0] not in (0, distributed.world_size()):
        raise ConfigError(
            f"run_dir={run_dir} is not the same folder on all machines; give one that they share."
        )
    if not (run_dir / STATE).exists():
        return None
    return build(Settings, load_yaml(run_dir / CONFIG))


def refuse_other_settings(run_dir: Path, old: Settings, new: Settings) -> None:
    """Raise ``ConfigError`` that names the first setting that differs; more epochs may be asked for."""
    longer = new.trainer.max_epochs > old.trainer.max_epochs
    found = difference(to_dict(old), to_dict(new), (*_MAY_DIFFER, *(["max_epochs"] if longer else [])))
    if found:
        raise ConfigError(
            f"{run_dir} holds a training with other settings ({found}); "
            "give another run_dir=, or remove the folder to start again."
        )


def save_data(run_dir: Path, sets: Mapping[str, Sequence[Utterance]]) -> None:
    """Write what ``refuse_other_data`` compares with."""
    with written_beside(run_dir / DATA) as partial:
        partial.write_text(json.dumps(_fingerprints(sets), indent=1) + "\n", encoding="utf-8")


def refuse_other_data(run_dir: Path, sets: Mapping[str, Sequence[Utterance]]) -> None:
    """Raise ``ConfigError`` where texts or durations are others than those that the run was begun with."""
    if not (run_dir / DATA).exists():
        return
    begun_with = json.loads((run_dir / DATA).read_text(encoding="utf-8"))
    for name, fingerprint in _fingerprints(sets).items():
        if fingerprint != begun_with.get(name):
            raise ConfigError(
                f"{run_dir} holds a training on other data (data.{name} has changed since); "
                "give another run_dir=, or remove the folder to start again."
            )


def _fingerprints(sets: Mapping[str, Sequence[Utterance]]) -> dict[str, str]:
    """SHA-256 of what is learned from and chosen by; where the recordings lie may change."""
    said = {name: repr([(one.duration, one.text) for one in sets[name]]) for name in ("train", "dev")}
    return {name: hashlib.sha256(listed.encode()).hexdigest() for name, listed in said.items()}


def difference(old: dict[str, Any], new: dict[str, Any], ignored: tuple[str, ...], prefix: str = "") -> str:
    """The first setting that differs, as ``key: old, now new``; empty when none does."""
    for key, value in new.items():
        if key in ignored:
            continue
        if isinstance(value, dict):
            found = difference(old[key], value, ignored, f"{prefix}{key}.")
            if found:
                return found
        elif old[key] != value:
            return f"{prefix}{key}: {old[key]}, now {value}"
    return ""
