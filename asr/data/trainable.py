"""What CTC can learn from, and what has to be left out, by name and with the reason."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from asr.errors import ManifestError, VocabularyError
from asr.features import FrontEnd
from asr.manifest import Utterance
from asr.models import output_lengths
from asr.text import TextSettings, Vocabulary, frames_needed, normalize


class Skipped(NamedTuple):
    """An utterance that cannot be trained on, and why."""

    utterance: Utterance
    reason: str


def count_unknown(
    utterances: Sequence[Utterance], vocabulary: Vocabulary, text: TextSettings
) -> Counter[str]:
    """How often each character without a symbol, or of phones each word, occurs where the settings let that be.

    Raises:
        VocabularyError: the settings do not; the utterance and the character are named.
    """
    counts: Counter[str] = Counter()
    for utterance in utterances:
        _encode(utterance, vocabulary, text)
        counts.update(vocabulary.unknown_in(normalize(utterance.text, text)))
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
