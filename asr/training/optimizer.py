"""What moves the weights."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from asr.trainer_settings import TrainerSettings


def adamw(weights: Iterable[nn.Parameter], settings: TrainerSettings) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019), biases and norms undecayed; what is frozen takes no part."""
    trained = [weight for weight in weights if weight.requires_grad]
    matrices = [weight for weight in trained if weight.ndim > 1]
    vectors = [weight for weight in trained if weight.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
    )
