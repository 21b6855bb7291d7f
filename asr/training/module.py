"""One step of training: mask, run the network, its loss, AdamW along a schedule."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from asr.acoustic import TorchAcousticModel
from asr.augment import mask_features
from asr.data import Batch
from asr.errors import CheckpointError
from asr.manifest import Utterance
from asr.settings import Settings, build
from asr.training import distributed
from asr.training.gradients import Gradients
from asr.training.learner import learner
from asr.training.optimizer import adamw
from asr.training.precision import scaler, unscale
from asr.training.schedule import rate
from asr.training.tally import Tally
from asr.training.weights import MovingAverage, noisy, replaced

STATE_VERSION = 3
"""Of what ``last.ckpt`` holds; before, it knew no place inside an epoch."""
_log = logging.getLogger(__name__)


class CTCTraining(lightning.LightningModule):
    """The acoustic model with its loss and optimiser.

    The gradient of a step is that of the mean loss over all its utterances, be they in one batch or, with
    ``trainer.accumulate``, in several, and on one process or, with torchrun, on several.
    """

    def __init__(
        self,
        acoustic: TorchAcousticModel,
        settings: Settings,
        utterances: Sequence[Utterance],
        steps_per_epoch: int,
    ):
        super().__init__()
        # The steps are written out here: what accumulates, and what happens to weights around a step, shows.
        self.automatic_optimization = False
        self.acoustic = acoustic
        self.settings = settings
        self.utterances = utterances
        self.steps_per_epoch = steps_per_epoch
        self.learner = learner(acoustic.network, settings)
        """What the loss is computed by."""
        self.num_views = 2 if settings.trainer.consistency else 1
        """How often each utterance is heard in a step."""
        self.average = MovingAverage(acoustic, settings.trainer.ema) if settings.trainer.ema else None
        self.plateau_scale = 1.0
        self.scaler = scaler(settings.trainer)
        self.gradients: Gradients | None = None
        """As they were when last measured."""
        self.num_left_out = 0
        """Utterances whose loss or gradient was not finite and that took no part in their step."""
        self.tally = Tally(epoch=-1)
        self._taken: list[int] = []
        """Places of the utterances whose gradient has been added since the last step."""
        self._loss = 0.0
        """The sum of their losses."""
        self._num_lost = 0
        """Utterances without a finite loss since the last step."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """The mean loss of a batch, its gradient added; after enough batches, a step of the optimiser.

        None when no utterance has a finite loss.
        """
        trainer = self.settings.trainer
        part = batch_idx % trainer.accumulate
        self._seed(part)
        with replaced(self.acoustic.network, noisy(self.acoustic.network, trainer.weight_noise)):
            losses, kept = self.losses(batch)
            if len(losses):
                self._add_gradient(losses, batch.indices[kept])
        if self.ends_step(batch_idx):
            self._step()
        self.tally.count_batch()
        return losses.mean().detach() if len(losses) else None

    def ends_step(self, batch_idx: int) -> bool:
        """Whether a step of the optimiser follows a batch: what comes after it depends on no gradient so far."""
        return (batch_idx + 1) % self.settings.trainer.accumulate == 0 or self.trainer.is_last_batch

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What to minimise, of each utterance whose loss is finite, and which these are ``(batch,)``."""
        if not len(batch.indices):  # fewer utterances than processes
            return torch.empty(0), torch.empty(0, dtype=torch.bool)
        features = torch.cat([self._masked(batch) for _ in range(self.num_views)])
        distributed.draw_apart()
        smoothing = self.settings.trainer.label_smoothing
        outputs = self.learner.outputs(features, batch.feature_lengths, batch.targets)
        losses, minimised = self.learner.losses(outputs, batch.targets, batch.target_lengths, smoothing)
        kept = losses.isfinite()
        if not kept.all():
            self._name(batch.indices[~kept].tolist(), "loss")
            self._num_lost += int((~kept).sum())
            if not kept.any():
                return losses[kept], kept
            # The gradient of an infinite loss is NaN, even times zero: once more without it.
            rest = tuple(one[kept] for one in outputs)
            losses, minimised = self.learner.losses(
                rest, batch.targets[kept], batch.target_lengths[kept], smoothing
            )
        self._loss += float(losses.detach().sum())
        return minimised, kept

    def _masked(self, batch: Batch) -> Tensor:
        spread = distributed.rank(), distributed.world_size()
        return mask_features(batch.features, batch.feature_lengths, self.settings.augment, *spread)

    def configure_optimizers(self) -> Any:
        """One for all that is trained."""
        return adamw(self.parameters(), self.settings.trainer)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the acoustic model has its moving average for weights, where ``trainer.ema`` asks for one."""
        with replaced(self.acoustic, self.average.tensors() if self.average else {}):
            yield

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Carry what Lightning does not know of."""
        checkpoint["state_version"] = STATE_VERSION
        checkpoint["plateau_scale"] = self.plateau_scale
        checkpoint["num_left_out"] = self.num_left_out
        checkpoint["scaler"] = self.scaler.state_dict()
        checkpoint["tally"] = asdict(self.tally)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back."""
        if checkpoint.get("state_version") != STATE_VERSION:
            raise CheckpointError(
                "The run was begun with another version of asr and cannot go on with this one; "
                "give another run_dir=, or start from its model with trainer.init_from=."
            )
        self.plateau_scale = checkpoint["plateau_scale"]
        self.num_left_out = checkpoint["num_left_out"]
        self.scaler.load_state_dict(checkpoint["scaler"])
        self.tally = build(Tally, checkpoint["tally"])

    def _seed(self, part: int) -> None:
        """Every random choice of a batch follows from the seed, the step's number and its place in the step."""
        torch.manual_seed((self.settings.seed * 1_000_003 + self.global_step + (part << 32)) % 2**63)

    def _add_gradient(self, losses: Tensor, indices: Tensor) -> None:
        """Make the gradient that of the mean over all utterances so far, these included."""
        before = len(self._taken)
        self._taken += indices.tolist()
        for weight in self.parameters():
            if weight.grad is not None:
                weight.grad.mul_(before / len(self._taken))
        self.manual_backward(self.scaler.scale(losses.sum() / len(self._taken)))

    def _step(self) -> None:
        """Move the weights; a gradient that is not finite would poison them all: dropped."""
        optimizer = self.optimizers()
        assert isinstance(optimizer, lightning.pytorch.core.optimizer.LightningOptimizer)
        for group in optimizer.param_groups:
            group["lr"] = self.settings.trainer.learning_rate * self.rate(self.global_step)
        num_taken = self._add_up()
        # Of the sum: all processes have the same one, and the same scale.
        overflowed = num_taken > 0 and unscale(self.scaler, optimizer.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters(), self.settings.trainer.clip_norm or math.inf)
        if not norm.isfinite():
            optimizer.zero_grad()
            if not overflowed:
                self._name(self._taken, "gradient")
                self.num_left_out += num_taken
        elif num_taken:
            self.tally.add_norm(float(norm))
        optimizer.step()  # without gradients it only counts
        optimizer.zero_grad()
        self._taken = []
        if self.average:
            self.average.update(self.acoustic)

    def _add_up(self) -> int:
        """Make the gradient that of all processes' utterances; how many these are."""
        count, loss, num_lost = distributed.total(len(self._taken), self._loss, self._num_lost)
        self._loss, self._num_lost = 0.0, 0
        self.num_left_out += int(num_lost)
        if count:
            self.tally.loss.add(loss / count, int(count))
            trained = [weight for weight in self.parameters() if weight.requires_grad]
            distributed.add_gradients(trained, len(self._taken) / count)
        return int(count)

    def rate(self, step: int) -> float:
        """The learning rate at a step, as a share of ``trainer.learning_rate``."""
        return rate(self.settings.trainer, step, self.steps_per_epoch, self.plateau_scale)

    def _name(self, indices: Sequence[int], what: str) -> None:
        for index in indices:
            name = self.utterances[index].name
            _log.warning("%s: its %s is not finite; left out of this step.", name, what)
