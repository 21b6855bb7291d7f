"""The learning rate as a function of the step."""

import math

from asr.trainer_settings import TrainerSettings


def rate(settings: TrainerSettings, step: int, steps_per_epoch: int, plateau_scale: float = 1.0) -> float:
    """The share of ``learning_rate`` that a step takes; ``plateau_scale`` is what plateau has left of it."""
    warmup = settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if settings.schedule == "cosine":
        total = max(settings.max_epochs * steps_per_epoch, warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup))))
    if settings.schedule == "noam":
        return math.sqrt((warmup + 1) / (step + 1))
    return plateau_scale
