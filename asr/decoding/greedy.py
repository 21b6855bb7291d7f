"""Greedy CTC decoding: the best symbol of each frame, repeats merged, blanks dropped (Graves et al. 2006)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.errors import DecoderError
from asr.types import Hypothesis, Word

BLANK_ID = 0


def decode_greedy(log_probs: NDArray[np.float32], symbols: Sequence[str], frame_seconds: float) -> Hypothesis:
    """The single best path through ``log_probs (time, vocab)``, with the time and confidence of each word.

    A word lasts from its first symbol's first frame to its last symbol's last; its confidence is the
    geometric mean of its symbols' probabilities, each taken at its surest frame.

    Raises:
        DecoderError: the shape does not fit the symbols, or a score is not a number.
    """
    check_log_probs(log_probs, symbols)
    path = log_probs.argmax(axis=1)
    scores = log_probs[np.arange(len(path)), path]
    runs = [run for run in _runs(path) if path[run[0]] != BLANK_ID]
    words = tuple(_word(word, path, scores, symbols, frame_seconds) for word in _split(runs, path, symbols))
    # Joined from the words and not from the runs, so that the text and the words never disagree.
    return Hypothesis(" ".join(word.text for word in words), float(scores.sum()), words)


def check_log_probs(log_probs: NDArray[np.float32], symbols: Sequence[str]) -> None:
    """Raise ``DecoderError`` unless the scores are ``(time, len(symbols))`` numbers."""
    if log_probs.ndim != 2 or log_probs.shape[1] != len(symbols):
        raise DecoderError(
            f"log_probs of shape {log_probs.shape} do not fit a vocabulary of {len(symbols)} symbols."
        )
    if np.isnan(log_probs).any():
        frame = int(np.isnan(log_probs).any(axis=1).argmax())
        raise DecoderError(f"log_probs are not a number at frame {frame}; the model's weights are damaged.")


def _runs(path: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Half-open frame spans of equal symbols. Example: [7, 7, 0, 3] -> [(0, 2), (2, 3), (3, 4)]"""
    if not len(path):
        return []
    starts = np.flatnonzero(np.diff(path, prepend=path[0] - 1))
    ends = np.append(starts[1:], len(path))
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _split(
    runs: list[tuple[int, int]], path: NDArray[np.int64], symbols: Sequence[str]
) -> list[list[tuple[int, int]]]:
    """The runs of each word, spaces left out."""
    words: list[list[tuple[int, int]]] = [[]]
    for run in runs:
        if symbols[path[run[0]]] == " ":
            words.append([])
        else:
            words[-1].append(run)
    return [word for word in words if word]


def _word(
    runs: list[tuple[int, int]],
    path: NDArray[np.int64],
    scores: NDArray[np.float32],
    symbols: Sequence[str],
    frame_seconds: float,
) -> Word:
    surest = [float(scores[start:end].max()) for start, end in runs]
    return Word(
        text="".join(symbols[path[start]] for start, _ in runs),
        start=runs[0][0] * frame_seconds,
        end=runs[-1][1] * frame_seconds,
        confidence=min(1.0, float(np.exp(np.mean(surest)))),
    )
