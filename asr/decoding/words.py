"""Labels and their frames to words with times and confidences: what every decoder ends with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import DecoderError
from asr.types import Word

Span = tuple[int, int]
"""Half-open frames."""


def make_words(
    labels: Sequence[int],
    spans: Sequence[Span],
    log_probs: NDArray[np.floating[Any]],
    symbols: Sequence[str],
    frame_seconds: float,
) -> tuple[Word, ...]:
    """The words between the spaces, each from its first label's first frame to its last label's last.

    A word's confidence is the geometric mean of its labels' probabilities, each taken at its surest frame.
    """
    words: list[list[tuple[int, Span]]] = [[]]
    for label, span in zip(labels, spans, strict=True):
        if symbols[label] == " ":
            words.append([])
        else:
            words[-1].append((label, span))
    return tuple(_word(word, log_probs, symbols, frame_seconds) for word in words if word)


def check_log_probs(log_probs: NDArray[np.floating[Any]], symbols: Sequence[str]) -> None:
    """Raise ``DecoderError`` unless the scores are ``(time, len(symbols))`` numbers."""
    if log_probs.ndim != 2 or log_probs.shape[1] != len(symbols):
        raise DecoderError(
            f"log_probs of shape {log_probs.shape} do not fit a vocabulary of {len(symbols)} symbols."
        )
    if np.isnan(log_probs).any():
        frame = int(np.isnan(log_probs).any(axis=1).argmax())
        raise DecoderError(f"log_probs are not a number at frame {frame}; the model's weights are damaged.")


def _word(
    parts: Sequence[tuple[int, Span]],
    log_probs: NDArray[np.floating[Any]],
    symbols: Sequence[str],
    frame_seconds: float,
) -> Word:
    surest = [float(log_probs[start:end, label].max()) for label, (start, end) in parts]
    return Word(
        text="".join(symbols[label] for label, _ in parts),
        start=parts[0][1][0] * frame_seconds,
        end=parts[-1][1][1] * frame_seconds,
        confidence=min(1.0, float(np.exp(np.mean(surest)))),
    )
