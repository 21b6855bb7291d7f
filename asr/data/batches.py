"""Examples to batches: length buckets and padding."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.manifest import Utterance


class Example(NamedTuple):
    """One utterance, ready for the network."""

    features: Tensor
    """``(time, feature)``"""
    targets: Tensor
    """``(num_labels,)``"""
    place: int
    """Its index in the dataset, so that a message can name it."""


class Batch(NamedTuple):
    """Lengths travel with tensors."""

    features: Tensor
    """``(batch, time, feature)``, zeros beyond each length"""
    feature_lengths: Tensor
    """``(batch,)``"""
    targets: Tensor
    """``(batch, num_labels)``, zeros beyond each length"""
    target_lengths: Tensor
    """``(batch,)``"""
    indices: Tensor
    """``(batch,)``: places in the dataset"""


def collate(examples: Sequence[Example]) -> Batch:
    """Pad with zeros to the longest; the lengths say where each ends. Of no examples, a batch of none."""
    return Batch(
        _padded([example.features for example in examples]),
        torch.tensor([len(example.features) for example in examples]),
        _padded([example.targets for example in examples]),
        torch.tensor([len(example.targets) for example in examples]),
        torch.tensor([example.place for example in examples], dtype=torch.long),
    )


def _padded(tensors: list[Tensor]) -> Tensor:
    return pad_sequence(tensors, batch_first=True) if tensors else torch.empty(0)


def make_batches(
    durations: Sequence[float],
    budget: float,
    most: int = 1_000_000,
    *,
    seed: int,
    epoch: int,
    shortest_first: bool = False,
    shards: Sequence[str] = (),
    window: int = 10_000,
) -> list[list[int]]:
    """Indices in batches of at most ``budget`` padded seconds and ``most`` utterances, alike in length.

    An utterance longer than the budget is a batch of its own.

    Each epoch jitters the lengths before it sorts by them, so that neighbours change, and shuffles the
    batches; ``shortest_first`` does neither. Given the name of each utterance's shard, this is done to about
    ``window`` utterances at a time, and the shards come in another order in every epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    batches = []
    for places in _windows(len(durations), shards, window, rng):
        keys = np.asarray(durations, float)[places]
        if not shortest_first:
            keys = keys * rng.uniform(0.96, 1.04, len(keys))
        part = _fill(places[np.argsort(keys, kind="stable")].tolist(), durations, budget, most)
        if not shortest_first:
            rng.shuffle(part)
        batches += part
    return batches


def _windows(
    count: int, shards: Sequence[str], window: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """What is sorted and shuffled together: all, or the next shards of a random order of them."""
    if not shards:
        return [np.arange(count)]
    names, numbers = np.unique(np.asarray(shards), return_inverse=True)
    order = np.argsort(rng.permutation(len(names))[numbers], kind="stable")
    return np.array_split(order, math.ceil(count / window))


def shard_names(utterances: Sequence[Utterance]) -> list[str]:
    """The tar file of each utterance; none at all when none lies in one."""
    if all(utterance.member is None for utterance in utterances):
        return []
    return [(utterance.member and utterance.audio_filepath) or "" for utterance in utterances]


def _fill(order: Sequence[int], durations: Sequence[float], budget: float, most: int) -> list[list[int]]:
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0.0
    for index in order:
        longest = max(longest, durations[index])
        if batch and (longest * (len(batch) + 1) > budget or len(batch) == most):
            batches.append(batch)
            batch, longest = [], durations[index]
        batch.append(index)
    return [*batches, batch] if batch else batches
