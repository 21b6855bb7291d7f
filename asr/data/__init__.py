"""Utterances to batches: audio, features and targets of one; length buckets and padding for many."""

from asr.data.batches import Batch, Example, collate, make_batches, shard_names
from asr.data.dataset import SpeechDataset
from asr.data.trainable import Skipped, count_unknown, split_missing, trainable

__all__ = [
    "Batch",
    "Example",
    "Skipped",
    "SpeechDataset",
    "collate",
    "count_unknown",
    "make_batches",
    "shard_names",
    "split_missing",
    "trainable",
]
