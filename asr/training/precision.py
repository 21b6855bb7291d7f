"""What a training computes in: float32, or half precision where the weights stay float32 and autocast decides.

fp16 has few exponents, so its gradients are scaled up, and the scale is halved when one overflows (Micikevicius
et al. 2018). Lightning would do that around a step; ours are written out in ``module``, and so is this.
"""

import re
from pathlib import Path

import torch
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from torch.amp.grad_scaler import GradScaler

from asr.acoustic import pick_device
from asr.errors import ConfigError
from asr.trainer_settings import TrainerSettings

DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def refuse_unfit(settings: TrainerSettings) -> None:
    """Raise ``ConfigError`` where the device does not have the precision."""
    if settings.precision == "fp16" and pick_device(settings.device).type != "cuda":
        raise ConfigError("trainer.precision=fp16 needs an NVIDIA GPU; use bf16 or 32.")


def doubt(settings: TrainerSettings) -> str:
    """What is slow about the precision here; empty for nothing."""
    on_processor = pick_device(settings.device).type == "cpu"
    if settings.precision == "bf16" and on_processor and not has_bf16():
        return "trainer.precision=bf16: this processor does not say that it has it, and may be far slower: use 32."
    return ""


def has_bf16() -> bool:
    """Whether the processor multiplies bf16 itself; elsewhere it is emulated, and slow."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and bool(re.search(r"\b(avx512_)?bf16\b", flags.read_text()))


def plugin(settings: TrainerSettings) -> Precision:
    """Lightning's autocast, without its scaling."""
    device = pick_device(settings.device).type
    if settings.precision == "fp16":
        return MixedPrecision("16-mixed", device, GradScaler(device, enabled=False))
    return MixedPrecision("bf16-mixed", device) if settings.precision == "bf16" else Precision()


def scaler(settings: TrainerSettings) -> GradScaler:
    """The scale of the gradients, always 1 but for fp16."""
    return GradScaler(pick_device(settings.device).type, enabled=settings.precision == "fp16")


def unscale(scaler: GradScaler, optimizer: torch.optim.Optimizer) -> bool:
    """Take the scale out of the gradients; whether it was too large for one of them, and has been halved.

    At a scale of 1 an overflow is the data's.
    """
    before = scaler.get_scale()
    scaler.unscale_(optimizer)
    scaler.update()
    return bool(1 < before > scaler.get_scale())
