"""One step of a training, tried before hours are spent on it."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.console import Console

from asr.acoustic import pick_device
from asr.data import Batch, collate
from asr.errors import ConfigError
from asr.settings import Settings
from asr.training import distributed
from asr.training.module import CTCTraining
from asr.training.parts import Parts
from asr.training.precision import DTYPES


@dataclass(frozen=True)
class DryRun:
    """What one step over the longest batch took."""

    seconds: float
    audio_seconds: float
    peak_bytes: int
    """Of the GPU where there is one, else of the whole process."""
    batches_per_epoch: int
    num_parameters: int


def dry_run(settings: Settings, *, console: Console | None = None) -> DryRun:
    """One batch, the one that takes the most memory, forwards and backwards, and what it took; nothing is written.

    Raises:
        ConfigError: it does not fit into memory.
    """
    with distributed.joined(settings.trainer.device):
        return try_longest(Parts(settings, distributed.first_only(console)))


def measure_speed(settings: Settings) -> float:
    """Seconds of speech that a training gets through in a second, loading and all; nothing is written.

    Three batches of middling lengths are timed the second time round: decoding is over, memory has been found.

    Raises:
        ManifestError, AudioError, VocabularyError, ConfigError: as ``train``.
    """
    parts = Parts(settings, Console(quiet=True))
    module = parts.module.to(pick_device(settings.trainer.device))
    optimizer = module.configure_optimizers()
    by_length = sorted(parts.batches(1), key=lambda batch: max(parts.durations[index] for index in batch))
    batches = [by_length[len(by_length) * quarter // 4] for quarter in (1, 2, 3)]
    for _ in range(2):
        started = time.perf_counter()
        for batch in batches:
            _step(module, _load(parts, batch), DTYPES[settings.trainer.precision])
            optimizer.step()
            optimizer.zero_grad()
        seconds = time.perf_counter() - started
    return sum(parts.durations[index] for batch in batches for index in batch) / seconds


def try_longest(parts: Parts) -> DryRun:
    """What ``dry_run`` does, with the parts of a training that goes on afterwards as if it had not been tried.

    Raises:
        ConfigError: the batch does not fit into memory. (Where the system kills instead of refusing, nobody can say.)
    """
    longest = max(parts.batches(1), key=lambda batch: parts.padded_seconds(distributed.share(batch)))
    try:
        return _measure(parts, distributed.share(longest))
    except (MemoryError, RuntimeError) as error:  # torch has an error class of its own for GPUs only
        if "memory" not in str(error).lower():
            raise
        raise ConfigError(_remedy(parts, longest)) from None
    finally:
        parts.module.zero_grad()


def _remedy(parts: Parts, longest: Sequence[int]) -> str:
    seconds = parts.padded_seconds(longest)
    if len(longest) == 1:
        name = parts.train[longest[0]].name
        smaller = "cut it, or take a smaller model"
        if not parts.settings.model.bidirectional:
            smaller = "hear it in smaller chunks (trainer.chunk_seconds=10), or take a smaller model"
        return f"{name}, {seconds:.0f} s long, does not fit into memory; {smaller}."
    return (
        f"The longest batch ({len(longest)} utterances, {seconds:.0f} s with padding) does not fit into memory; "
        f"data.batch_seconds={seconds / 2:.0f} trainer.accumulate={2 * parts.settings.trainer.accumulate} "
        "needs half of it and takes the same steps."
    )


def _measure(parts: Parts, longest: Sequence[int]) -> DryRun:
    device = pick_device(parts.settings.trainer.device)
    module = parts.module.to(device)
    batch = _load(parts, longest) if longest else None
    started = time.perf_counter()
    if batch is not None:
        _step(module, batch, DTYPES[parts.settings.trainer.precision])
    return DryRun(
        seconds=time.perf_counter() - started,
        audio_seconds=sum(parts.durations[index] for index in longest),
        peak_bytes=peak_bytes(device),
        batches_per_epoch=len(parts.batches(1)),
        num_parameters=sum(p.numel() for p in module.parameters()),
    )


def _load(parts: Parts, indices: Sequence[int]) -> Batch:
    device = pick_device(parts.settings.trainer.device)
    return Batch(*(tensor.to(device) for tensor in collate([parts.dataset[index] for index in indices])))


def _step(module: CTCTraining, batch: Batch, dtype: torch.dtype) -> None:
    with torch.autocast(batch.features.device.type, dtype, enabled=dtype != torch.float32):
        features = torch.cat([batch.features] * module.num_views)
        outputs = module.learner.outputs(features, batch.feature_lengths, batch.targets)
    losses, _ = module.learner.losses(outputs, batch.targets, batch.target_lengths, 0.0)
    losses.mean().backward()  # type: ignore[no-untyped-call]
    if batch.features.is_cuda:
        torch.cuda.synchronize()


def peak_bytes(device: torch.device) -> int:
    """Of the GPU where there is one, else of the whole process so far; 0 where nobody counts."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
