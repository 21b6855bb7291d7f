"""Utterances to batches: audio, features and targets of one; length buckets and padding for many."""

import os
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from asr.augment import AugmentSettings, augment_waveform
from asr.errors import ManifestError, VocabularyError
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.models import output_lengths
from asr.text import TextSettings, Vocabulary, normalize


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


class Skipped(NamedTuple):
    """An utterance that cannot be trained on, and why."""

    utterance: Utterance
    reason: str


class SpeechDataset(Dataset[Example]):
    """A manifest as features and targets; ``epoch`` and the seed decide every random choice, whoever asks."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        front_end: FrontEnd,
        vocabulary: Vocabulary,
        text: TextSettings,
        *,
        augment: AugmentSettings = AugmentSettings(),
        seed: int = 1,
        cache_audio: bool = False,
    ):
        self.utterances = utterances
        self.front_end = front_end
        self.augment = augment
        self.seed = seed
        self.epoch = 0
        self.targets = [torch.tensor(vocabulary.encode(u.text, text), dtype=torch.long) for u in utterances]
        self._cache: dict[int, NDArray[np.float32]] | None = {} if cache_audio else None

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Example:
        """The utterance at ``index``, augmented as this epoch decides.

        Raises:
            AudioError: its audio cannot be read.
        """
        return Example(self._features(index), self.targets[index], index)

    def statistics(self, most: int = 500) -> tuple[Tensor, Tensor]:
        """Mean and deviation ``(feature,)`` before normalisation, over up to ``most`` utterances."""
        step = max(1, len(self) // most)
        frames = torch.cat([self._features(index, normalize=False) for index in range(0, len(self), step)])
        return frames.mean(dim=0), frames.std(dim=0).clamp(min=1e-5)

    def _features(self, index: int, *, normalize: bool = True) -> Tensor:
        values = self._load(index)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        if values.ndim == 1 and self.augment.changes_waveforms:
            values = augment_waveform(values, self.front_end.settings.sample_rate, self.augment, rng)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            # Dither draws from torch's own generator.
            torch.default_generator.manual_seed(int(rng.integers(2**63)))
            return self.front_end.extract(values, normalize=normalize)

    def _load(self, index: int) -> NDArray[np.float32]:
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        settings = self.front_end.settings
        values = load_input(self.utterances[index], settings.sample_rate, settings.num_static)
        if self._cache is not None:
            self._cache[index] = values
        return values


def collate(examples: Sequence[Example]) -> Batch:
    """Pad with zeros to the longest; the lengths say where each ends."""
    return Batch(
        pad_sequence([example.features for example in examples], batch_first=True),
        torch.tensor([len(example.features) for example in examples]),
        pad_sequence([example.targets for example in examples], batch_first=True),
        torch.tensor([len(example.targets) for example in examples]),
        torch.tensor([example.place for example in examples]),
    )


def make_batches(
    durations: Sequence[float],
    budget: float,
    most: int = 1_000_000,
    *,
    seed: int,
    epoch: int,
    shortest_first: bool = False,
) -> list[list[int]]:
    """Indices in batches of at most ``budget`` padded seconds and ``most`` utterances, alike in length.

    An utterance longer than the budget is a batch of its own.

    Each epoch jitters the lengths before it sorts by them, so that neighbours change, and shuffles the
    batches; ``shortest_first`` does neither.
    """
    rng = np.random.default_rng([seed, epoch])
    keys = np.asarray(durations, float)
    if not shortest_first:
        keys = keys * rng.uniform(0.96, 1.04, len(keys))
    batches = _fill(np.argsort(keys, kind="stable").tolist(), durations, budget, most)
    if not shortest_first:
        rng.shuffle(batches)
    return batches


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


def count_unknown(
    utterances: Sequence[Utterance], vocabulary: Vocabulary, text: TextSettings
) -> Counter[str]:
    """How often each character without a symbol occurs, where the settings let it be skipped or replaced.

    Raises:
        VocabularyError: the settings do not; the utterance and the character are named.
    """
    counts: Counter[str] = Counter()
    for utterance in utterances:
        _encode(utterance, vocabulary, text)
        counts.update(
            character for character in normalize(utterance.text, text) if character not in vocabulary
        )
    return counts


def _encode(utterance: Utterance, vocabulary: Vocabulary, text: TextSettings) -> list[int]:
    try:
        return vocabulary.encode(utterance.text, text)
    except VocabularyError as error:
        raise VocabularyError(f"{utterance.name}: {error}") from None


def split_missing(utterances: Sequence[Utterance]) -> tuple[list[Utterance], list[Skipped]]:
    """The utterances whose file is there, and the others: one lost recording should not cost a training."""
    is_there = [os.path.isfile(one.features_filepath or one.audio_filepath or "") for one in utterances]
    kept = [one for one, there in zip(utterances, is_there, strict=True) if there]
    lost = [one for one, there in zip(utterances, is_there, strict=True) if not there]
    return kept, [Skipped(one, "its file is missing") for one in lost]


def trainable(
    utterances: Sequence[Utterance],
    front_end: FrontEnd,
    stride: int,
    vocabulary: Vocabulary,
    text: TextSettings,
    shortening: float = 1.0,
) -> tuple[list[Utterance], list[Skipped]]:
    """The utterances that CTC can learn from, and the others with the reason.

    ``shortening`` is the fastest speed at which they will be played.

    Raises:
        ManifestError: none is left.
    """
    kept, skipped = [], []
    for utterance in utterances:
        labels = _encode(utterance, vocabulary, text)
        num_samples = int(utterance.duration / shortening * front_end.settings.sample_rate)
        num_frames = output_lengths(front_end.settings.num_frames(num_samples), stride)
        reason = _why_not(labels, num_frames)
        skipped.append(Skipped(utterance, reason)) if reason else kept.append(utterance)
    if not utterances:
        raise ManifestError(
            "No utterance can be trained on: every file is missing; check the manifest's paths."
        )
    if not kept:
        first, reason = skipped[0]
        raise ManifestError(f"No utterance can be trained on; the first: {first.name}: {reason}.")
    return kept, skipped


def _why_not(labels: Sequence[int], num_frames: int) -> str:
    """Empty when CTC can align: a label a frame, and a blank between equal neighbours."""
    needed = frames_needed(labels)
    if not labels:
        return "its text is empty"
    if needed > num_frames:
        return (
            f"its text needs {needed} frames and the model has {num_frames}; use a smaller model.subsampling"
        )
    return ""


def frames_needed(labels: Sequence[int]) -> int:
    """The fewest frames in which CTC can write the labels. Example: [5, 5, 7] -> 4, a blank between 5 5."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))
