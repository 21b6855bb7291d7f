"""What happens around the steps: dev scoring and saving after each epoch, the progress bar, a clean stop."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import rich.progress
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from torch import Tensor

from asr import checkpoint
from asr.data import Batch
from asr.evaluation import Evaluation, evaluate
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.training.card import model_card
from asr.training.module import CTCTraining

BEST, LAST, STATE = "best", "last", "last.ckpt"


class DevScorer(Callback):
    """Scores the dev set after each epoch through the recognizer; keeps the best model and the last."""

    def __init__(self, model: checkpoint.Model, dev: Sequence[Utterance], run_dir: Path, tell: Callable[[str], None]):
        self.model = model
        self.dev = dev
        self.run_dir = run_dir
        self.tell = tell
        self.best: tuple[float, float] = (float("inf"), float("inf"))
        """Dev WER and, where that ties, CER."""
        self.best_epoch = 0
        self.started = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Start the clock of the epoch."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Score, save, log, and decide whether this is the end."""
        assert isinstance(pl_module, CTCTraining)
        seconds = time.perf_counter() - self.started
        recognizer = Recognizer(self.model.acoustic, self.model.vocabulary, self.model.text)
        evaluation = evaluate(recognizer, self.dev, batch_size=16)
        epoch = trainer.current_epoch + 1
        improved = self._keep(evaluation, epoch, pl_module)
        self._log(trainer, pl_module, evaluation, seconds)
        self._report(trainer, evaluation, epoch, seconds, improved)
        self._adapt(trainer, pl_module, epoch)
        _save_state(trainer, self.run_dir / STATE)

    def state_dict(self) -> dict[str, Any]:
        """The best so far, for a resumed run."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.best, self.best_epoch = tuple(state_dict["best"]), state_dict["best_epoch"]

    def _keep(self, evaluation: Evaluation, epoch: int, module: CTCTraining) -> bool:
        score = (evaluation.words.rate, evaluation.characters.rate)
        improved = score < self.best
        card = model_card(module.settings, evaluation, epoch)
        checkpoint.save(self.run_dir / LAST, self.model, card)
        if improved:
            self.best, self.best_epoch = score, epoch
            checkpoint.save(self.run_dir / BEST, self.model, card)
        return improved

    def _log(
        self, trainer: lightning.Trainer, module: CTCTraining, evaluation: Evaluation, seconds: float
    ) -> None:
        metrics = {
            "epoch": trainer.current_epoch + 1,
            "loss": float(trainer.callback_metrics["loss"]),
            "dev_wer": evaluation.words.rate,
            "dev_cer": evaluation.characters.rate,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "gradient_norm": float(trainer.callback_metrics["gradient_norm"]),
            "left_out": module.num_left_out,
            "seconds": seconds,
        }
        for logger in trainer.loggers:
            logger.log_metrics(metrics, step=trainer.global_step)
            logger.save()

    def _report(
        self, trainer: lightning.Trainer, evaluation: Evaluation, epoch: int, seconds: float, improved: bool
    ) -> None:
        loss = float(trainer.callback_metrics["loss"])
        self.tell(
            f"epoch {epoch:3d}/{trainer.max_epochs}  loss {loss:7.3f}  dev WER {100 * evaluation.words.rate:6.2f} %  "
            f"CER {100 * evaluation.characters.rate:6.2f} %  {seconds:5.1f} s{'  best' if improved else ''}"
        )

    def _adapt(self, trainer: lightning.Trainer, module: CTCTraining, epoch: int) -> None:
        settings = module.settings.trainer
        stalled = epoch - self.best_epoch
        if settings.schedule == "plateau" and stalled and stalled % settings.plateau_patience == 0:
            module.plateau_scale /= 2
        if settings.patience and stalled >= settings.patience:
            self.tell(f"No better dev WER for {stalled} epochs: stopping early.")
            trainer.should_stop = True


class StepLog(Callback):
    """The means over an epoch of what each step knows: loss and gradient norm."""

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: Any
    ) -> None:
        """Before clipping, so that what explodes is seen to explode."""
        norms = [p.grad.norm() for p in pl_module.parameters() if p.grad is not None]
        total = sum((norm**2 for norm in norms), start=norms[0] * 0).sqrt()
        pl_module.log("gradient_norm", total, on_step=False, on_epoch=True, logger=False)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Weigh each batch by its utterances."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):
            size = len(batch.indices)
            pl_module.log("loss", loss.detach(), on_step=False, on_epoch=True, logger=False, batch_size=size)


class Progress(Callback):
    """A bar over the whole training: time left, loss, dev WER, audio-seconds a second."""

    def __init__(self, durations: Sequence[float], num_epochs: int, console: Console):
        self.durations = durations
        self.num_epochs = num_epochs
        self.progress = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TextColumn("{task.fields[status]}"),
            rich.progress.TextColumn("ETA"),
            rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
        )
        self.task = self.progress.add_task("training", total=num_epochs * sum(durations), status="")
        self.heard = 0.0
        self.started = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Show the bar, at the place where a resumed run goes on."""
        self.started = time.perf_counter()
        self.progress.update(self.task, completed=trainer.current_epoch * sum(self.durations))
        self.progress.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Move on by the seconds of audio in the batch."""
        seconds = sum(self.durations[index] for index in batch.indices.tolist())
        self.heard += seconds
        speed = self.heard / (time.perf_counter() - self.started)
        loss = float(outputs["loss"]) if outputs else float("nan")
        self.progress.update(
            self.task,
            advance=seconds,
            description=f"epoch {trainer.current_epoch + 1}/{self.num_epochs}",
            status=f"loss {loss:.2f}  {speed:.0f} audio-s/s",
        )

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Take the bar away, whatever ended the training."""
        self.progress.stop()


class StopOnInterrupt(Callback):
    """Ctrl-C ends the training after the step it is in, scored and saved; a second one ends it at once."""

    def __init__(self, tell: Callable[[str], None]):
        self.tell = tell
        self.interrupted = False
        self.previous: Any = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Take the signal over, where a signal can be taken (the main thread)."""

        def stop(*_: Any) -> None:
            self.tell("Interrupted: scoring and saving what there is; Ctrl-C again to leave at once.")
            self.interrupted = True
            trainer.should_stop = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

        try:
            self.previous = signal.signal(signal.SIGINT, stop)
        except ValueError:
            self.previous = None

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Give the signal back."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)


def _save_state(trainer: lightning.Trainer, path: Path) -> None:
    """Write beside, then rename: a state is whole or is not there."""
    partial = path.with_name(path.name + ".partial")
    trainer.save_checkpoint(partial)
    os.replace(partial, path)
