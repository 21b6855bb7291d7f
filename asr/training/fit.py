"""From settings to a trained model: the only Trainer, and what is left when it ends."""

import logging
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from torch.utils.data import DataLoader

from asr import checkpoint
from asr.acoustic import pick_device
from asr.data import Example
from asr.settings import Settings, save_yaml
from asr.training import distributed
from asr.training.callbacks import Progress, StopOnSignal
from asr.training.doubts import corpus_doubts, repeats
from asr.training.dry import try_longest
from asr.training.files import no_room
from asr.training.parts import Parts, say
from asr.training.precision import plugin
from asr.training.run_report import RunReport
from asr.training.scorer import DevScorer
from asr.training.state import (
    CONFIG,
    STATE,
    StateFile,
    StateSaver,
    refuse_other_data,
    refuse_other_settings,
    save_data,
    settings_of,
)
from asr.training.watch import GradientPicture, GradientWatch
from asr.whole_files import NO_ROOM
from asr.wording import counted


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves behind."""

    model_dir: Path
    """The best model by dev WER."""
    dev_wer: float
    best_epoch: int
    minutes: float
    """Of the steps of all epochs, those of earlier starts too; scoring dev comes besides."""
    interrupted: int
    """The signal that ended it before its time, 0 for none."""
    rate: str = "WER"
    """What ``dev_wer`` is: PER where greedy decoding writes phones."""


class _EpochData(lightning.LightningDataModule):
    """Hands Lightning a new loader each epoch, or one of the rest of an epoch that was left inside."""

    def __init__(self, parts: Parts):
        super().__init__()
        self.parts = parts

    def train_dataloader(self) -> "DataLoader[Example]":
        assert self.trainer is not None
        module, epoch = self.parts.module, self.trainer.current_epoch
        module.tally = module.tally.of(epoch)
        return self.parts.loader(epoch, done=module.tally.batches)


def train(settings: Settings, *, console: Console | None = None) -> TrainingResult:
    """Train until the last epoch, the early stop or Ctrl-C; go on where a run of the same settings was saved last.

    A larger ``trainer.max_epochs`` lengthens a run, a finished one too. Started by torchrun, all its processes share
    the work; the first prints and writes.

    ``run_dir`` then holds ``best/`` and ``last/`` (model directories), ``report.html``, ``metrics.csv`` and ``.json``,
    ``gradients.png``, ``tensorboard/``, ``config.yaml``, ``data.json`` and ``last.ckpt`` (the state to go on from).

    Raises:
        ConfigError: a set is not given, ``run_dir`` holds a training of other settings or data, or memory is too small.
        CheckpointError: the disk is full; what was saved last is still there.
        ManifestError, AudioError, VocabularyError: the data cannot be trained on.
        WorkerError: another process was lost.
    """
    with distributed.joined(settings.trainer.device):
        return _train(settings, distributed.first_only(console))


def _train(settings: Settings, console: Console) -> TrainingResult:
    run_dir = Path(settings.run_dir)
    before = settings_of(run_dir)
    if before:
        refuse_other_settings(run_dir, before, settings)
    parts = Parts(settings, console)
    if before:
        refuse_other_data(run_dir, parts.sets)
    repeated = repeats(parts.dev, parts.sets["train"]) if distributed.is_first() else ""
    if distributed.is_first():
        for sentence in filter(None, (*corpus_doubts(parts.sets, parts.requirements), repeated)):
            say(console, sentence)
    if not before:
        try_longest(parts)
    if distributed.is_first():
        run_dir.mkdir(parents=True, exist_ok=True)
        save_yaml(settings, run_dir / CONFIG)
        save_data(run_dir, parts.sets)
    _describe(parts, console)
    if before:
        say(console, f"going on where {run_dir} was left")
    if before and before.trainer.max_epochs < settings.trainer.max_epochs:
        say(console, _lengthened(before, settings))
    tell = partial(say, console)
    scorer = DevScorer(parts.model, parts.dev, run_dir, tell, repeated)
    stop = StopOnSignal(tell)
    _fit(parts, _callbacks(parts, scorer, stop, console) if distributed.is_first() else [scorer, stop])
    minutes = sum(row["seconds"] for row in scorer.history) / 60
    best = distributed.from_first(lambda: checkpoint.resolve(run_dir))
    rate = parts.model.vocabulary.rate
    return TrainingResult(best, scorer.best[0], scorer.best_epoch, minutes, stop.received, rate)


def _callbacks(parts: Parts, scorer: DevScorer, stop: StopOnSignal, console: Console) -> list[Callback]:
    """What happens around the steps where a training prints and writes, in its order."""
    trainer = parts.settings.trainer
    # What is followed from frame to frame needs scores of each, and all of them at once.
    watched = trainer.watch_gradients and not trainer.chunk_seconds and parts.model.acoustic.kind.writes_texts
    return [
        *([GradientWatch(parts)] if watched else []),
        scorer,
        RunReport(parts, scorer.run_dir, scorer),
        GradientPicture(scorer.run_dir, scorer),
        stop,  # then the state is saved
        StateSaver(scorer.run_dir, trainer.save_minutes),  # the last to write
        Progress(parts.durations, trainer.max_epochs, console, scorer),
    ]


def _fit(parts: Parts, callbacks: list[Callback]) -> None:
    state = Path(parts.settings.run_dir) / STATE
    _quieten()
    with warnings.catch_warnings():
        _expect_warnings()
        try:
            _trainer(parts.settings, callbacks).fit(
                parts.module,
                datamodule=_EpochData(parts),
                ckpt_path=state if state.exists() else None,
                weights_only=True,
            )
        except OSError as error:
            if error.errno in NO_ROOM:  # of the logger's files, which others write
                raise no_room(state.parent, error) from None
            raise


def _trainer(settings: Settings, callbacks: list[Callback]) -> lightning.Trainer:
    trainer = settings.trainer
    device = pick_device(trainer.device)
    return lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=[torch.cuda.current_device()] if device.type == "cuda" else 1,
        max_epochs=trainer.max_epochs,
        callbacks=callbacks,
        # To Lightning each process is alone, whatever torchrun or a cluster says: module.py adds up what they have.
        plugins=[StateFile(), LightningEnvironment(), plugin(trainer)],
        logger=distributed.is_first() and TensorBoardLogger(settings.run_dir, name="tensorboard", version=""),
        reload_dataloaders_every_n_epochs=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )


def _lengthened(before: Settings, now: Settings) -> str:
    line = f"lengthened from {before.trainer.max_epochs} to {now.trainer.max_epochs} epochs"
    if now.trainer.schedule != "cosine":
        return f"{line}; it ends as a run of {now.trainer.max_epochs} from the start would"
    return f"{line}; the learning rate rises to where the longer cosine has it, and falls along that"


def _describe(parts: Parts, console: Console) -> None:
    seconds = sum(parts.durations)
    batches = parts.batches(1)
    padding = 1 - seconds / sum(map(parts.padded_seconds, batches))
    accumulate = parts.settings.trainer.accumulate
    steps = f"in {counted(parts.module.steps_per_epoch, 'step')} " if accumulate > 1 else ""
    parameters = sum(p.numel() for p in parts.module.parameters())
    say(
        console,
        f"{counted(len(parts.train), 'utterance')}, {seconds / 3600:.2f} h, {counted(len(batches), 'batch')} an epoch "
        f"{steps}({100 * padding:.1f} % padding); {counted(len(parts.dev), 'dev utterance')}; "
        f"{counted(len(parts.model.vocabulary), 'symbol')}, {parameters / 1e6:.2f} M parameters",
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
        ".*your dataloader is not resumable.*",  # it is, in our own way: Parts.loader
        ".*`isinstance.treespec, LeafSpec.` is deprecated.*",  # Lightning 2.6 on torch 2.11
    ):
        warnings.filterwarnings("ignore", pattern)
