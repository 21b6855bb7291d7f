"""One training shared by several processes: who is who, and what they tell each other.

torchrun starts them and says so in the environment. In a training that it did not start there is one process, of rank
0, and nothing here has anything to do. Each process takes every so-many-th utterance of each batch and of the dev set.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, zip_longest
from typing import TypeVar

import torch
from rich.console import Console
from torch import Tensor, distributed

from asr.acoustic import pick_device
from asr.errors import ConfigError, WorkerError

T = TypeVar("T")

PATIENCE = timedelta(minutes=30)
"""How long the others may take before they are given up: checks of the corpus and files are the first one's work."""
_ENVIRONMENT = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}
_BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Inside, the processes that torchrun started know each other, each with a GPU of its own if they have any.

    Raises:
        ConfigError: the device cannot be shared, or there are more processes than GPUs.
        WorkerError: one of them does not come.
    """
    if not _by_torchrun():
        yield
        return
    kind = pick_device(device).type
    if kind not in _BACKENDS:
        raise ConfigError(f"device {kind!r} cannot be shared by processes; give trainer.device=cpu.")
    if kind == "cuda":
        _take_gpu(int(os.environ["LOCAL_RANK"]))
    with _all_there():
        distributed.init_process_group(_BACKENDS[kind], timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ["RANK"]) if _by_torchrun() else 0


def world_size() -> int:
    """How many processes train together."""
    return int(os.environ["WORLD_SIZE"]) if _by_torchrun() else 1


def is_first() -> bool:
    """Whether this process is the one that prints and writes."""
    return rank() == 0


def first_only(console: Console | None) -> Console:
    """Where the first process prints, stderr unless given; what the others print there is dropped."""
    return (console or Console(stderr=True)) if is_first() else Console(quiet=True)


def share(items: Sequence[T]) -> Sequence[T]:
    """What this process takes of a batch or a set; nothing, where there are fewer items than processes."""
    return items[rank() :: world_size()]


def gathered(mine: Sequence[T]) -> list[T]:
    """The whole, in its order, from the shares of all processes.

    Raises:
        WorkerError: one of them is lost.
    """
    shares: list[Sequence[T]] = [mine]
    if world_size() > 1:
        shares *= world_size()
        with _all_there():
            distributed.all_gather_object(shares, mine)
    return list(chain.from_iterable(zip_longest(*shares)))[: sum(map(len, shares))]


def from_first(make: Callable[[], T]) -> T:
    """What the first process makes, for all of them.

    Raises:
        WorkerError: one of them is lost.
    """
    made = [make()] if is_first() else [None]
    if world_size() > 1:
        with _all_there():
            distributed.broadcast_object_list(made)
    return made[0]  # type: ignore[return-value]


def total(*values: float) -> list[float]:
    """Each value added over all processes.

    Raises:
        WorkerError: one of them is lost.
    """
    return _reduced(values, distributed.ReduceOp.SUM)


def largest(value: float) -> float:
    """The largest value that any process has.

    Raises:
        WorkerError: one of them is lost.
    """
    return _reduced([value], distributed.ReduceOp.MAX)[0]


def add_gradients(weights: Sequence[Tensor], part: float) -> None:
    """Make each weight's gradient the sum of all processes' own, each times its ``part``; in one message.

    Raises:
        WorkerError: one of them is lost.
    """
    if world_size() == 1:
        return
    own = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    flat = part * torch.cat([gradient.flatten() for gradient in own])
    with _all_there():
        distributed.all_reduce(flat)
    pieces = torch.split(flat, [weight.numel() for weight in weights])
    for weight, piece in zip(weights, pieces, strict=True):
        weight.grad = piece.view_as(weight)


def draw_apart() -> None:
    """From here on, draw other random numbers than the other processes; the first goes on with those of one alone."""
    if rank():
        torch.manual_seed((torch.initial_seed() + (rank() << 48)) % 2**63)


def _by_torchrun() -> bool:
    return os.environ.keys() >= _ENVIRONMENT


def _reduced(values: Sequence[float], operation: distributed.ReduceOp.RedOpType) -> list[float]:
    if world_size() == 1:
        return list(values)
    # On the processor, by way of gloo: it notices at once when another process is gone, NCCL only waits.
    tensor = torch.tensor(values, dtype=torch.float64)
    with _all_there():
        distributed.all_reduce(tensor, operation)
    found: list[float] = tensor.tolist()
    return found


def _take_gpu(number: int) -> None:
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"This machine has {torch.cuda.device_count()} GPUs, one a process; give torchrun "
            f"--nproc-per-node={torch.cuda.device_count()}, or trainer.device=cpu."
        )
    torch.cuda.set_device(number)


@contextmanager
def _all_there() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gloo has no class of its own
        reason = str(error).partition("\n")[0].rpartition("] ")[2]  # without the place in gloo's source
        raise WorkerError(
            f"A worker was lost, so process {rank()} of {world_size()} stops ({reason}); "
            "the same command goes on from the last saved state."
        ) from None
