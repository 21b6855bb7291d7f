"""One step of training: mask, run the network, CTC loss, AdamW along a schedule."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from asr.acoustic import TorchAcousticModel
from asr.augment import mask_features
from asr.data import Batch
from asr.manifest import Utterance
from asr.settings import Settings

_log = logging.getLogger(__name__)


class CTCTraining(lightning.LightningModule):
    """The acoustic model with its loss and optimiser; the loss is a mean over utterances, in nats."""

    def __init__(
        self,
        acoustic: TorchAcousticModel,
        settings: Settings,
        utterances: Sequence[Utterance],
        steps_per_epoch: int,
    ):
        super().__init__()
        self.acoustic = acoustic
        self.settings = settings
        self.utterances = utterances
        self.steps_per_epoch = steps_per_epoch
        self.plateau_scale = 1.0
        self.num_left_out = 0
        """Utterances whose loss or gradient was not finite and that took no part in their step."""
        self._indices = torch.empty(0, dtype=torch.long)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """The loss of a batch; None, which takes no step, when no utterance has a finite one."""
        # Every random choice of a step follows from the seed and the step's number, whatever came before.
        torch.manual_seed(self.settings.seed * 1_000_003 + self.global_step)
        features = mask_features(batch.features, batch.feature_lengths, self.settings.augment)
        log_probs, lengths = self.acoustic.network(features, batch.feature_lengths)
        losses = ctc_losses(log_probs, lengths, batch.targets, batch.target_lengths)
        finite = losses.isfinite()
        self._indices = batch.indices[finite]
        if not finite.all():
            self._leave_out(batch.indices[~finite], "loss")
            if not finite.any():
                return None
            # The gradient of an infinite loss is NaN, even times zero: once more without it.
            losses = ctc_losses(
                log_probs[finite], lengths[finite], batch.targets[finite], batch.target_lengths[finite]
            )
        loss = losses.mean()
        self._mean_over_epoch("loss", loss.detach(), len(losses))
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Scale a large gradient down; one that is not finite would poison all weights: dropped."""
        norm = nn.utils.clip_grad_norm_(self.parameters(), self.settings.trainer.clip_norm or math.inf)
        if norm.isfinite():
            self._mean_over_epoch("gradient_norm", norm, 1)
        else:
            optimizer.zero_grad()
            self._leave_out(self._indices, "gradient")

    def configure_optimizers(self) -> Any:
        """AdamW (Loshchilov and Hutter 2019), biases and norms undecayed, its rate set at every step."""
        settings = self.settings.trainer
        matrices = [p for p in self.parameters() if p.ndim > 1]
        vectors = [p for p in self.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate(self, step: int) -> float:
        """The learning rate at a step, as a share of ``trainer.learning_rate``."""
        settings = self.settings.trainer
        warmup = settings.warmup_epochs * self.steps_per_epoch
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if settings.schedule == "cosine":
            total = max(settings.max_epochs * self.steps_per_epoch, warmup + 1)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup))))
        return self.plateau_scale

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Carry what Lightning does not know of."""
        checkpoint["plateau_scale"] = self.plateau_scale
        checkpoint["num_left_out"] = self.num_left_out

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back."""
        self.plateau_scale = checkpoint["plateau_scale"]
        self.num_left_out = checkpoint["num_left_out"]

    def _mean_over_epoch(self, name: str, value: Tensor, weight: int) -> None:
        self.log(name, value, on_step=False, on_epoch=True, logger=False, batch_size=weight)

    def _leave_out(self, indices: Tensor, what: str) -> None:
        self.num_left_out += len(indices)
        for index in indices.tolist():
            name = self.utterances[index].name
            _log.warning("%s: its %s is not finite; left out of this step.", name, what)


def ctc_losses(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The CTC loss ``(batch,)`` in nats (Graves et al. 2006); infinite where no alignment exists."""
    return nn.functional.ctc_loss(
        log_probs.transpose(0, 1),  # (time, batch, vocab)
        targets,
        lengths,
        target_lengths,
        reduction="none",
    )
