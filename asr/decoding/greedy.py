"""Greedy CTC decoding: the best symbol of each frame, repeats merged, blanks dropped (Graves et al. 2006)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.decoding.words import Span, check_log_probs, make_words
from asr.types import Hypothesis

BLANK_ID = 0


def decode_greedy(log_probs: NDArray[np.float32], symbols: Sequence[str], frame_seconds: float) -> Hypothesis:
    """The single best path through ``log_probs (time, vocab)``, with the time and confidence of each word.

    Raises:
        DecoderError: the shape does not fit the symbols, or a score is not a number.
    """
    check_log_probs(log_probs, symbols)
    path = log_probs.argmax(axis=1)
    spans = [span for span in _runs(path) if path[span[0]] != BLANK_ID]
    labels = [int(path[start]) for start, _ in spans]
    words = make_words(labels, spans, log_probs, symbols, frame_seconds)
    score = float(log_probs[np.arange(len(path)), path].sum())
    # Joined from the words and not from the labels, so that the text and the words never disagree.
    return Hypothesis(" ".join(word.text for word in words), score, words)


def _runs(path: NDArray[np.int64]) -> list[Span]:
    """The frames of equal symbols. Example: [7, 7, 0, 3] -> [(0, 2), (2, 3), (3, 4)]"""
    if not len(path):
        return []
    starts = np.flatnonzero(np.diff(path, prepend=path[0] - 1))
    ends = np.append(starts[1:], len(path))
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
