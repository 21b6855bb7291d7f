"""What is decided after each epoch by the dev set: what to keep, and whether to go on."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from asr import checkpoint
from asr.decoding import decode_greedy
from asr.evaluation import Evaluation, evaluate
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.training import distributed, epochs
from asr.training.card import model_card
from asr.training.doubts import new_doubts
from asr.training.files import written_beside
from asr.training.module import CTCTraining
from asr.training.weights import replaced

_CARRIED = ("best", "best_epoch", "best_interval", "history")
BEST, LAST, METRICS, EPOCHS = "best", "last", "metrics.csv", "epochs"


class DevScorer(Callback):
    """Scores the dev set after each epoch through the recognizer; keeps the best model and the last.

    An epoch that Ctrl-C cut short leaves ``last/`` and no row: the run goes on inside it, and ends as if nothing had
    happened. Of several processes each scores its share; all then know the whole, and
    decide the same, and the first one writes.
    """

    def __init__(
        self,
        model: checkpoint.Model,
        dev: Sequence[Utterance],
        run_dir: Path,
        tell: Callable[[str], None],
        remark: str = "",
    ):
        self.model = model
        self.dev = dev
        self.run_dir = run_dir
        self.tell = tell
        self.remark = remark
        """What the models' cards have to say of the dev set, besides the rates on it."""
        self.best: tuple[float, float] = (float("inf"), float("inf"))
        """Dev WER of the model in ``best/`` and, where that ties, CER."""
        self.best_epoch = 0
        """Whose weights are in ``best/``; of an average, the last epoch in it."""
        self.best_interval = (0.0, 0.0)
        """Its 95 % interval."""
        self.history: list[dict[str, float]] = []
        """What ``metrics.csv`` holds, a row an epoch."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave a run as it is that has stopped early before."""
        assert isinstance(pl_module, CTCTraining)
        if self._has_stalled(pl_module):
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Score, save, log, and decide whether this is the end."""
        assert isinstance(pl_module, CTCTraining)
        with pl_module.averaged():
            evaluation = self._score()
            row = _measured(trainer, pl_module, evaluation)
            card = model_card(pl_module.settings, evaluation, str(row["epoch"]), self.remark)
            self._save(LAST, card)
            if not trainer.is_last_batch:
                self._report(trainer, row, "  cut short")
                return
            improved = self._keep_best(evaluation, int(row["epoch"]), card)
            self._report(trainer, row, "  best" if improved else "")
            self._log(trainer, row)
            self._keep_for_average(pl_module)
        for sentence in new_doubts(self.history, len(self.dev), pl_module):
            self.tell(sentence)
        self._adapt(pl_module)
        stalled = self._has_stalled(pl_module)
        trainer.should_stop = trainer.should_stop or stalled
        # Not when a signal stops it: the run will go on, and must not remember that it was stopped.
        if stalled or int(row["epoch"]) == trainer.max_epochs:
            self._average(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The best so far and the history, for a resumed run."""
        return {name: getattr(self, name) for name in _CARRIED}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        for name in _CARRIED:
            setattr(self, name, state_dict[name])
        self.best = (self.best[0], self.best[1])  # a tuple again

    def _score(self) -> Evaluation:
        acoustic = self.model.acoustic
        decoder = acoustic.kind.search or decode_greedy
        recognizer = Recognizer(acoustic, self.model.vocabulary, self.model.text, decoder)
        mine = evaluate(recognizer, distributed.share(self.dev), batch_size=16)
        return Evaluation(tuple(distributed.gathered(mine.utterances)), mine.seconds, mine.setup)

    def _keep_best(self, evaluation: Evaluation, epoch: int, card: str) -> bool:
        score = (evaluation.words.rate, evaluation.characters.rate)
        if score > self.best:
            return False
        # A tie goes to the later epoch: on a small dev set many tie, and the later one has heard more.
        self.best, self.best_epoch = score, epoch
        interval = evaluation.interval
        self.best_interval = (interval.low, interval.high)
        self._save(BEST, card)
        return True

    def _save(self, name: str, card: str) -> None:
        if distributed.is_first():
            checkpoint.save(self.run_dir / name, self.model, card)

    def _log(self, trainer: lightning.Trainer, row: dict[str, float]) -> None:
        self.history.append(row)
        if distributed.is_first():
            _save_table(self.history, self.run_dir / METRICS)
        for logger in trainer.loggers:
            logger.log_metrics(row, step=trainer.global_step)
            logger.save()

    def _report(self, trainer: lightning.Trainer, row: Mapping[str, float], remark: str) -> None:
        self.tell(
            f"epoch {row['epoch']:3d}/{trainer.max_epochs}  loss {row['loss']:7.3f}  "
            f"dev {self.model.vocabulary.rate} {100 * row['dev_wer']:6.2f} %  CER {100 * row['dev_cer']:6.2f} %  "
            f"{row['seconds']:5.1f} s{remark}"
        )

    def _stalled(self) -> int:
        """Epochs since one was truly better than all before; what an average scored does not count."""
        ranked = [(row["dev_wer"], row["dev_cer"], row["epoch"]) for row in self.history]
        return len(ranked) - int(min(ranked)[2]) if ranked else 0

    def _has_stalled(self, module: CTCTraining) -> bool:
        stalled = self._stalled()
        if not 0 < module.settings.trainer.patience <= stalled:
            return False
        self.tell(f"No better dev WER for {stalled} epochs: stopping early.")
        return True

    def _adapt(self, module: CTCTraining) -> None:
        settings, stalled = module.settings.trainer, self._stalled()
        if settings.schedule == "plateau" and stalled and stalled % settings.plateau_patience == 0:
            module.plateau_scale /= 2

    def _keep_for_average(self, module: CTCTraining) -> None:
        settings = module.settings.trainer
        if settings.average and distributed.is_first():
            chosen = epochs.choose(self.history, settings.average, settings.average_of)
            epochs.keep(self.run_dir / EPOCHS, self.model.acoustic, chosen, len(self.history))

    def _average(self, module: CTCTraining) -> None:
        """Score the mean of some epochs' weights at the end, and make it the best model if it is no worse."""
        settings = module.settings.trainer
        if not settings.average:
            return
        chosen = epochs.choose(self.history, settings.average, settings.average_of)
        what = f"the average of epochs {', '.join(map(str, chosen))}"
        mean = distributed.from_first(lambda: epochs.mean(self.run_dir / EPOCHS, chosen))
        with replaced(self.model.acoustic, mean):
            evaluation = self._score()
            card = model_card(module.settings, evaluation, what, self.remark)
            best = self._keep_best(evaluation, max(chosen), card)
        self.tell(
            f"{what}:  dev {self.model.vocabulary.rate} {100 * evaluation.words.rate:6.2f} %  "
            f"CER {100 * evaluation.characters.rate:6.2f} %{'  best' if best else '  not used'}"
        )


def _measured(trainer: lightning.Trainer, module: CTCTraining, evaluation: Evaluation) -> dict[str, float]:
    """A row of ``metrics.csv``; loss and gradient norm are no numbers when no step of the epoch had any."""
    return {
        "epoch": trainer.current_epoch + 1,
        "steps": trainer.global_step,
        "loss": module.tally.loss.value,
        "dev_wer": evaluation.words.rate,
        "dev_cer": evaluation.characters.rate,
        "dev_empty": sum(not scored.hypothesis for scored in evaluation.utterances),
        "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
        "gradient_norm": module.tally.gradient_norm.value,
        "largest_gradient_norm": module.tally.largest_gradient_norm,
        "left_out": module.num_left_out,
        "seconds": module.tally.seconds,
    } | (module.gradients.row() if module.gradients else {})


def _save_table(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    with written_beside(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
