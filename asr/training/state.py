"""What a run goes on from: one file, whole or not there, and the settings that it belongs to."""

import io
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback

from asr.errors import ConfigError
from asr.settings import Settings, build, load_yaml, to_dict
from asr.training import distributed
from asr.training.files import written_beside

STATE, CONFIG = "last.ckpt", "config.yaml"
_MAY_DIFFER = ("device", "threads", "num_workers", "cache_audio", "feature_cache", "test", "run_dir")
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
    """Writes the state when all else that an epoch leaves is written: a run killed before repeats that epoch."""

    def __init__(self, run_dir: Path):
        self.run_dir = run_dir

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Leave an epoch alone that was cut short."""
        if trainer.is_last_batch:
            trainer.save_checkpoint(self.run_dir / STATE)


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


def difference(old: dict[str, Any], new: dict[str, Any], ignored: tuple[str, ...], prefix: str = "") -> str:
    """The first setting that differs, as ``key: old, now new``; empty when none does."""
    for key, value in new.items():
        if isinstance(value, dict):
            found = difference(old[key], value, ignored, f"{prefix}{key}.")
            if found:
                return found
        elif old[key] != value and key not in ignored:
            return f"{prefix}{key}: {old[key]}, now {value}"
    return ""
