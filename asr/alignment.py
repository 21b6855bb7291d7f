"""Forced alignment: which frames each label of a known text was said in, by the Viterbi path through CTC."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
"""Half-open frames."""


def align(log_probs: NDArray[np.floating[Any]], labels: Sequence[int]) -> list[Span]:
    """The half-open frame span of each label on the likeliest path of ``log_probs (time, vocab)`` that writes them.

    Spans cover the frames that show the label itself; the blanks between belong to nobody. Empty when there are
    fewer frames than the labels need. Scores are read as float32 and added as float64.
    """
    return _spans(log_probs, labels, np.empty(0, np.int64), np.empty(0), 0.0) if len(labels) else []


def align_words(
    log_probs: NDArray[np.floating[Any]], words: Sequence[Sequence[int]], price: float, strange: float
) -> list[list[Span] | None]:
    """The spans of the labels of each word, or None for a word that is better left out than placed.

    The likeliest path is one through texts that may be wrong: it leaves a word out for ``price`` nats a label, and
    between words it may show any symbols, for ``strange`` nats a frame. With both infinite it is that of ``align``.
    Where a word is left out behind another one there is a frame between words.
    Memory grows with labels times the square root of frames, time with labels times frames.
    """
    ends = np.cumsum([0, *map(len, words)])
    prices = np.array([price * len(word) if word else 0.0 for word in words])
    spans = _spans(log_probs, [label for word in words for label in word], ends, prices, strange)
    placed = [spans[start:end] for start, end in pairwise(ends)]
    return [own if own and own[0][1] else None for own in placed] if spans else [None] * len(words)


def _spans(
    log_probs: NDArray[np.floating[Any]],
    labels: Sequence[int],
    joints: NDArray[np.int64],
    prices: NDArray[np.float64],
    strange: float,
) -> list[Span]:
    # Compiled code is loaded when somebody aligns, not when somebody imports.
    from asr.viterbi import label_spans

    scores = np.ascontiguousarray(log_probs, np.float32)
    spans = label_spans(scores, np.asarray(labels, np.int64), joints, prices, float(strange))
    return [(start, end) for start, end in spans.tolist()]
