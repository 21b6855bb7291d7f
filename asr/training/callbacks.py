"""What happens around the steps: the progress bar, and a clean stop."""

import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import rich.progress
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from asr.data import Batch
from asr.errors import WorkerError
from asr.training import distributed
from asr.training.scorer import DevScorer


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
        epochs = trainer.current_epoch + pl_module.tally.batches / trainer.num_training_batches
        self.progress.update(self.task, completed=epochs * sum(self.durations))
        self.progress.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Move on by the seconds of audio in the batch."""
        # Its share of the batch stands for those of the other processes.
        seconds = distributed.world_size() * sum(self.durations[index] for index in batch.indices.tolist())
        self.heard += seconds
        speed = self.heard / (time.perf_counter() - self.started)
        loss = float(outputs["loss"]) if outputs else float("nan")
        history = self.scorer.history
        dev = (
            f"dev {self.scorer.model.vocabulary.rate} {100 * history[-1]['dev_wer']:.1f} %  "
            if history
            else ""
        )
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
    """Ctrl-C or a polite kill ends the training after the step it is in, scored and saved; the next at once.

    Of several processes all end at the same step, whichever of them were told to.
    """

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
            self._give_back()

        with contextlib.suppress(ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, stop)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Stop, if any process has been told to and the step is whole."""
        if pl_module.ends_step(batch_idx):
            self._obey(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Stop before another epoch, if the signal came while the last one was scored."""
        self._obey(trainer)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Give the signals back."""
        self._give_back()

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Give the signals back; torchrun ends this process where another is lost, but first it has to say why."""
        if isinstance(exception, WorkerError) and self.previous.pop(signal.SIGTERM, None):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._give_back()

    def _obey(self, trainer: lightning.Trainer) -> None:
        self.received = int(distributed.largest(self.received))
        trainer.should_stop = trainer.should_stop or self.received > 0

    def _give_back(self) -> None:
        while self.previous:
            number, handler = self.previous.popitem()
            # What Lightning does at SIGTERM is to wait for the next step: the default is what a second one asks for.
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else handler)
