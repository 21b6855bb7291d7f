"""One step of a training, tried before hours are spent on it."""

import sys
import time
from dataclasses import dataclass

import torch
from rich.console import Console

from asr.acoustic import pick_device
from asr.data import Batch, collate
from asr.settings import Settings
from asr.training.module import CTCTraining, ctc_losses
from asr.training.parts import Parts


@dataclass(frozen=True)
class DryRun:
    """What one step over the longest batch took."""

    seconds: float
    audio_seconds: float
    peak_bytes: int
    """Of the GPU where there is one, else of the whole process."""
    steps_per_epoch: int
    num_parameters: int


def dry_run(settings: Settings, *, console: Console | None = None) -> DryRun:
    """One training step over the batch that takes the most memory, and what it took; nothing is written."""
    parts = Parts(settings, console or Console(stderr=True))
    device = pick_device(settings.trainer.device)
    module = parts.module.to(device)
    longest = max(parts.batches(1), key=parts.padded_seconds)
    batch = collate([parts.dataset[index] for index in longest])
    started = time.perf_counter()
    _step(module, Batch(*(tensor.to(device) for tensor in batch)), bf16=settings.trainer.precision == "bf16")
    return DryRun(
        seconds=time.perf_counter() - started,
        audio_seconds=sum(parts.durations[index] for index in longest),
        peak_bytes=_peak_bytes(device),
        steps_per_epoch=module.steps_per_epoch,
        num_parameters=sum(p.numel() for p in module.parameters()),
    )


def _step(module: CTCTraining, batch: Batch, bf16: bool) -> None:
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=bf16):
        log_probs, lengths = module.acoustic.network(batch.features, batch.feature_lengths)
    loss = ctc_losses(log_probs, lengths, batch.targets, batch.target_lengths).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    if batch.features.is_cuda:
        torch.cuda.synchronize()


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
