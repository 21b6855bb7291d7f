"""What happens around the steps: dev scoring and saving after each epoch, the progress bar, a clean stop."""

import contextlib
import csv
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import rich.progress
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from asr import checkpoint
from asr.data import Batch
from asr.evaluation import Evaluation, evaluate
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.training.card import model_card
from asr.training.module import CTCTraining

_CARRIED = ("best", "best_epoch", "improved_epoch", "history")
BEST, LAST, STATE, METRICS = "best", "last", "last.ckpt", "metrics.csv"


class DevScorer(Callback):
    """Scores the dev set after each epoch through the recognizer; keeps the best model, the last, the state.

    An epoch that Ctrl-C cut short leaves ``last/`` and no state: the run goes on from the last whole epoch,
    and ends as if nothing had happened.
    """

    def __init__(
        self, model: checkpoint.Model, dev: Sequence[Utterance], run_dir: Path, tell: Callable[[str], None]
    ):
        self.model = model
        self.dev = dev
        self.run_dir = run_dir
        self.tell = tell
        self.best: tuple[float, float] = (float("inf"), float("inf"))
        """Dev WER and, where that ties, CER."""
        self.best_epoch = 0
        """Whose weights are in ``best/``."""
        self.improved_epoch = 0
        """The last one that was truly better, for plateau and early stop."""
        self.history: list[dict[str, float]] = []
        """What ``metrics.csv`` holds, a row an epoch."""
        self.started = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave a run as it is that has stopped early before."""
        assert isinstance(pl_module, CTCTraining)
        self._stop_early(trainer, pl_module, trainer.current_epoch)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Start the clock of the epoch."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Score, save, log, and decide whether this is the end."""
        assert isinstance(pl_module, CTCTraining)
        seconds = time.perf_counter() - self.started
        recognizer = Recognizer(self.model.acoustic, self.model.vocabulary, self.model.text)
        evaluation = evaluate(recognizer, self.dev, batch_size=16)
        row = _measured(trainer, pl_module, evaluation, seconds)
        card = model_card(pl_module.settings, evaluation, int(row["epoch"]))
        checkpoint.save(self.run_dir / LAST, self.model, card)
        if not trainer.is_last_batch:
            self._report(trainer, row, "  cut short")
            return
        improved = self._keep_best(evaluation, int(row["epoch"]), card)
        self._report(trainer, row, "  best" if improved else "")
        self._log(trainer, row)
        self._adapt(trainer, pl_module, int(row["epoch"]))
        _save_state(trainer, self.run_dir / STATE)

    def state_dict(self) -> dict[str, Any]:
        """The best so far and the history, for a resumed run."""
        return {name: getattr(self, name) for name in _CARRIED}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        for name in _CARRIED:
            setattr(self, name, state_dict[name])
        self.best = (self.best[0], self.best[1])  # a tuple again

    def _keep_best(self, evaluation: Evaluation, epoch: int, card: str) -> bool:
        score = (evaluation.words.rate, evaluation.characters.rate)
        if score > self.best:
            return False
        if score < self.best:
            self.improved_epoch = epoch
        # A tie goes to the later epoch: on a small dev set many tie, and the later one has heard more.
        self.best, self.best_epoch = score, epoch
        checkpoint.save(self.run_dir / BEST, self.model, card)
        return True

    def _log(self, trainer: lightning.Trainer, row: dict[str, float]) -> None:
        self.history.append(row)
        _save_table(self.history, self.run_dir / METRICS)
        for logger in trainer.loggers:
            logger.log_metrics(row, step=trainer.global_step)
            logger.save()

    def _report(self, trainer: lightning.Trainer, row: Mapping[str, float], remark: str) -> None:
        self.tell(
            f"epoch {row['epoch']:3d}/{trainer.max_epochs}  loss {row['loss']:7.3f}  "
            f"dev WER {100 * row['dev_wer']:6.2f} %  CER {100 * row['dev_cer']:6.2f} %  "
            f"{row['seconds']:5.1f} s{remark}"
        )

    def _adapt(self, trainer: lightning.Trainer, module: CTCTraining, epoch: int) -> None:
        settings = module.settings.trainer
        stalled = epoch - self.improved_epoch
        if settings.schedule == "plateau" and stalled and stalled % settings.plateau_patience == 0:
            module.plateau_scale /= 2
        self._stop_early(trainer, module, epoch)

    def _stop_early(self, trainer: lightning.Trainer, module: CTCTraining, epoch: int) -> None:
        stalled = epoch - self.improved_epoch
        if 0 < module.settings.trainer.patience <= stalled:
            self.tell(f"No better dev WER for {stalled} epochs: stopping early.")
            trainer.should_stop = True


def _measured(
    trainer: lightning.Trainer, module: CTCTraining, evaluation: Evaluation, seconds: float
) -> dict[str, float]:
    """A row of ``metrics.csv``; loss and gradient norm are no numbers when no step of the epoch had any."""
    means = trainer.callback_metrics
    return {
        "epoch": trainer.current_epoch + 1,
        "loss": float(means.get("loss", float("nan"))),
        "dev_wer": evaluation.words.rate,
        "dev_cer": evaluation.characters.rate,
        "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
        "gradient_norm": float(means.get("gradient_norm", float("nan"))),
        "left_out": module.num_left_out,
        "seconds": seconds,
    }


class Progress(Callback):
    """A bar over the whole training: time left, loss, dev WER, audio-seconds a second."""

    def __init__(self, durations: Sequence[float], num_epochs: int, console: Console, scorer: DevScorer):
        self.scorer = scorer
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
        history = self.scorer.history
        dev = f"dev WER {100 * history[-1]['dev_wer']:.1f} %  " if history else ""
        self.progress.update(
            self.task,
            advance=seconds,
            description=f"epoch {trainer.current_epoch + 1}/{self.num_epochs}",
            status=f"loss {loss:.2f}  {dev}{speed:.0f} audio-s/s",
        )

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Take the bar away."""
        self.progress.stop()

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Take the bar away, whatever ended the training."""
        self.progress.stop()


class StopOnSignal(Callback):
    """Ctrl-C or a polite kill ends the training after the step it is in, scored and saved; the next at once."""

    def __init__(self, tell: Callable[[str], None]):
        self.tell = tell
        self.received = 0
        """The signal that ended the training, 0 for none."""
        self.previous: dict[int, Any] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Take the signals over, where a signal can be taken (the main thread)."""

        def stop(number: int, _: Any) -> None:
            name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            self.tell(f"{name}: scoring and saving what there is; once more to leave at once.")
            self.received = number
            trainer.should_stop = True
            self._give_back()

        with contextlib.suppress(ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, stop)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Give the signals back."""
        self._give_back()

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Give the signals back."""
        self._give_back()

    def _give_back(self) -> None:
        while self.previous:
            number, handler = self.previous.popitem()
            # What Lightning does at SIGTERM is to wait for the next step: the default is what a second one asks for.
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else handler)


def _save_state(trainer: lightning.Trainer, path: Path) -> None:
    """Write beside, then rename: a state is whole or is not there."""
    partial = path.with_name(path.name + ".partial")
    trainer.save_checkpoint(partial)
    os.replace(partial, path)


def _save_table(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    with open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)
