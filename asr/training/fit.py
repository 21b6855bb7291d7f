"""From settings to a trained model: the sets, the model, the only Trainer, and what is left when it ends."""

import dataclasses
import logging
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from rich.console import Console
from torch.utils.data import DataLoader

from asr import checkpoint
from asr.acoustic import TorchAcousticModel, pick_device
from asr.data import Example, SpeechDataset, collate, make_batches, trainable
from asr.errors import ConfigError
from asr.features import FrontEnd
from asr.manifest import Utterance, read_manifest
from asr.settings import RecognizerSettings, Settings, load_yaml, save_yaml, to_dict
from asr.text import Vocabulary
from asr.training.callbacks import BEST, LAST, STATE, DevScorer, Progress, StepLog, StopOnInterrupt
from asr.training.module import CTCTraining

_log = logging.getLogger(__name__)

CONFIG = "config.yaml"
_MAY_DIFFER = ("device", "threads", "num_workers", "cache_audio")
"""Settings that a resumed run may change, since they change no result."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves behind."""

    model_dir: Path
    """The best model by dev WER."""
    dev_wer: float
    best_epoch: int
    minutes: float
    interrupted: bool


@dataclass(frozen=True)
class DryRun:
    """What one step over the longest batch took."""

    seconds: float
    audio_seconds: float
    peak_bytes: int
    """Of the GPU where there is one, else of the whole process."""
    steps_per_epoch: int
    num_parameters: int


class _Parts:
    """What a training is put together from, built once from its settings."""

    def __init__(self, settings: Settings, console: Console):
        torch.manual_seed(settings.seed)
        if settings.trainer.threads:
            torch.set_num_threads(settings.trainer.threads)
        self.settings = settings
        utterances = _manifest(settings.data.train, "train")
        self.dev = _manifest(settings.data.dev, "dev")
        vocabulary = Vocabulary.build((u.text for u in utterances), settings.text)
        acoustic = TorchAcousticModel(settings.features, settings.model, len(vocabulary))
        self.model = checkpoint.Model(
            acoustic, vocabulary, RecognizerSettings(settings.features, settings.text, settings.model)
        )
        stride = settings.model.subsampling
        fastest = settings.augment.speed_max
        self.train, skipped = trainable(
            utterances, acoustic.front_end, stride, vocabulary, settings.text, fastest
        )
        for utterance, reason in skipped:
            console.print(f"left out: {utterance.name}: {reason}", style="yellow", highlight=False)
        # A front end of its own: the network's may live on a GPU, and loading stays on the processor.
        self.dataset = SpeechDataset(
            self.train,
            FrontEnd(settings.features).train(),
            vocabulary,
            settings.text,
            augment=settings.augment,
            seed=settings.seed,
            cache_audio=settings.data.cache_audio,
        )
        if settings.features.cmvn == "stored":
            _store_statistics(self.dataset, acoustic.front_end)
        self.durations = [utterance.duration for utterance in self.train]
        self.module = CTCTraining(acoustic, settings, self.train, len(self.batches(1)))

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch: a function of the seed and the epoch alone."""
        data = self.settings.data
        shortest_first = epoch == 0 and data.sort_first_epoch
        return make_batches(
            self.durations, data.batch_seconds, seed=self.settings.seed, epoch=epoch, shortest_first=shortest_first
        )

    def loader(self, epoch: int) -> "DataLoader[Example]":
        """The batches of an epoch, read."""
        self.dataset.epoch = epoch
        return DataLoader(
            self.dataset,
            batch_sampler=self.batches(epoch),
            collate_fn=collate,
            num_workers=self.settings.data.num_workers,
        )


class _EpochData(lightning.LightningDataModule):
    """Hands Lightning a new loader each epoch."""

    def __init__(self, parts: _Parts):
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
    _claim(run_dir, settings)
    parts = _Parts(settings, console)
    _describe(parts, console)
    tell = _teller(console)
    scorer = DevScorer(parts.model, parts.dev, run_dir, tell)
    stop = StopOnInterrupt(tell)
    progress = Progress(parts.durations, settings.trainer.max_epochs, console)
    started = time.perf_counter()
    trainer = _trainer(settings, [StepLog(), scorer, stop, progress])
    state = run_dir / STATE
    with warnings.catch_warnings():
        _expect_warnings()
        # weights_only=False: the state is this run's own, never a stranger's.
        trainer.fit(
            parts.module,
            datamodule=_EpochData(parts),
            ckpt_path=state if state.exists() else None,
            weights_only=False,
        )
    minutes = (time.perf_counter() - started) / 60
    best = run_dir / BEST if (run_dir / BEST).exists() else run_dir / LAST
    return TrainingResult(best, scorer.best[0], scorer.best_epoch, minutes, stop.interrupted)


def dry_run(settings: Settings, *, console: Console | None = None) -> DryRun:
    """One training step over the batch that takes the most memory, and what it took; nothing is written."""
    parts = _Parts(settings, console or Console(stderr=True))
    device = pick_device(settings.trainer.device)
    module = parts.module.to(device)
    longest = max(parts.batches(1), key=lambda batch: len(batch) * max(parts.durations[i] for i in batch))
    batch = collate([parts.dataset[index] for index in longest])
    started = time.perf_counter()
    features, feature_lengths = batch.features.to(device), batch.feature_lengths.to(device)
    moved = batch._replace(features=features, feature_lengths=feature_lengths)
    loss = _loss_without_trainer(module, moved, settings)
    loss.backward()  # type: ignore[no-untyped-call]
    return DryRun(
        seconds=time.perf_counter() - started,
        audio_seconds=sum(parts.durations[index] for index in longest),
        peak_bytes=_peak_bytes(device),
        steps_per_epoch=module.steps_per_epoch,
        num_parameters=sum(p.numel() for p in module.parameters()),
    )


def _loss_without_trainer(module: CTCTraining, batch: Any, settings: Settings) -> torch.Tensor:
    from asr.training.module import ctc_losses

    bf16 = settings.trainer.precision == "bf16"
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=bf16):
        log_probs, lengths = module.acoustic.network(batch.features, batch.feature_lengths)
    return ctc_losses(log_probs, lengths, batch.targets, batch.target_lengths).mean()


def _trainer(settings: Settings, callbacks: list[Any]) -> lightning.Trainer:
    _quieten()
    run_dir = settings.run_dir
    trainer = settings.trainer
    device = pick_device(trainer.device)
    return lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1,
        max_epochs=trainer.max_epochs,
        precision="bf16-mixed" if trainer.precision == "bf16" else "32-true",
        gradient_clip_val=trainer.clip_norm,
        callbacks=callbacks,
        logger=[
            CSVLogger(run_dir, name="", version="", flush_logs_every_n_steps=1),
            TensorBoardLogger(run_dir, name="tensorboard", version=""),
        ],
        reload_dataloaders_every_n_epochs=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )


def _manifest(path: str | None, name: str) -> list[Utterance]:
    if path is None:
        raise ConfigError(f"data.{name} is not set; give data.{name}=MANIFEST (asr data build and split make one).")
    return read_manifest(path)


def _claim(run_dir: Path, settings: Settings) -> None:
    """Make the run directory ours, or refuse one that holds another training."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / CONFIG
    if path.exists() and (run_dir / STATE).exists():
        difference = _difference(load_yaml(path), to_dict(settings))
        if difference:
            raise ConfigError(
                f"{run_dir} holds a training with other settings ({difference}); "
                "give another run_dir=, or remove the folder to start again."
            )
    save_yaml(settings, path)


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


def _store_statistics(dataset: SpeechDataset, front_end: FrontEnd, most: int = 500) -> None:
    """Mean and deviation of each feature over up to ``most`` training utterances, before normalisation."""
    step = max(1, len(dataset) // most)
    frames = torch.cat([dataset[index].features for index in range(0, len(dataset), step)])
    for module in (dataset.front_end, front_end):
        module.mean.copy_(frames.mean(dim=0))
        module.std.copy_(frames.std(dim=0).clamp(min=1e-5))


def _describe(parts: _Parts, console: Console) -> None:
    hours = sum(parts.durations) / 3600
    batches = parts.batches(1)
    padded = sum(len(batch) * max(parts.durations[i] for i in batch) for batch in batches)
    parameters = sum(p.numel() for p in parts.module.parameters())
    console.print(
        f"{len(parts.train)} utterances, {hours:.2f} h, {len(batches)} batches an epoch "
        f"({100 * (1 - hours * 3600 / padded):.1f} % padding); {len(parts.dev)} dev utterances; "
        f"{len(parts.model.vocabulary)} symbols, {parameters / 1e6:.2f} M parameters",
        highlight=False,
    )


def _teller(console: Console) -> Any:
    return lambda line: console.print(line, highlight=False)


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    # Linux counts in KiB, macOS in bytes.
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _quieten() -> None:
    """Lightning's banners say nothing that a person who trains needs."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _expect_warnings() -> None:
    """Third-party warnings that are known, each with why it does not matter here."""
    for pattern in (
        ".*does not have many workers.*",  # small corpora load faster than a worker starts
        ".*Checkpoint directory .* exists.*",
        ".*Experiment logs directory .* exists.*",  # a resumed run writes where it wrote before
        ".*`isinstance.treespec, LeafSpec.` is deprecated.*",  # Lightning 2.6 on torch 2.11
    ):
        warnings.filterwarnings("ignore", pattern)
