"""Labels and their frames to words with times and confidences: what every decoder ends with.

CTC shows a letter for a frame or two, some time after its sound begins, and blanks for the rest: a word lasts from
before its first letter until long after its last. Where, the blanks tell: they are surest in the silence between
two words, and less sure the nearer there is speech. So a word begins and ends where the odds of all labels
together against the blank rise from their least and fall back to it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import DecoderError
from asr.types import Word

Span = tuple[int, int]
"""Half-open frames."""

REACH_SECONDS = 0.4
"""How long before its first and after its last letter a word may be heard."""
RISEN = 4.0
"""It begins when the odds of a label have risen to this many times their least before it."""
DECAYED = 1.5
"""It ends when they have fallen to this many times their least after it. All three chosen on strings of digits."""


def make_words(
    labels: Sequence[int],
    spans: Sequence[Span],
    log_probs: NDArray[np.floating[Any]],
    symbols: Sequence[str],
    frame_seconds: float,
) -> tuple[Word, ...]:
    """The words, which begin at or behind spaces, in order, inside the recording and never one over the other.

    Their beginnings and ends are off by some 40 ms (median) on connected digits. A word's confidence is the
    geometric mean of its labels' probabilities, each taken at its surest frame.
    """
    words: list[list[tuple[int, Span]]] = [[]]
    for label, span in zip(labels, spans, strict=True):
        if symbols[label].startswith(" "):
            words.append([])
        if symbols[label] != " ":
            words[-1].append((label, span))
    words = [word for word in words if word]
    times = word_frames([(word[0][1][0], word[-1][1][1]) for word in words], log_probs, frame_seconds)
    return tuple(
        Word(_text(word, symbols), start * frame_seconds, end * frame_seconds, _confidence(word, log_probs))
        for word, (start, end) in zip(words, times, strict=True)
    )


def check_log_probs(log_probs: NDArray[np.floating[Any]], symbols: Sequence[str]) -> None:
    """Raise ``DecoderError`` unless the scores are ``(time, len(symbols))`` numbers."""
    if log_probs.ndim != 2 or log_probs.shape[1] != len(symbols):
        raise DecoderError(
            f"log_probs of shape {log_probs.shape} do not fit a vocabulary of {len(symbols)} symbols."
        )
    if np.isnan(log_probs).any():
        frame = int(np.isnan(log_probs).any(axis=1).argmax())
        raise DecoderError(f"log_probs are not a number at frame {frame}; the model's weights are damaged.")


def word_frames(
    letters: Sequence[Span], log_probs: NDArray[np.floating[Any]], frame_seconds: float
) -> list[Span]:
    """The frames of each word, from those between its first and its last letter."""
    if not letters:
        return []
    odds, reach = _label_odds(log_probs), round(REACH_SECONDS / frame_seconds)
    before = [0, *(last for _, last in letters[:-1])]
    starts = [
        first - _rise(odds[max(first - reach, free) : first])
        for (first, _), free in zip(letters, before, strict=True)
    ]
    after = [*starts[1:], len(odds)]
    ends = [
        last + _decay(odds[last : min(last + reach, free)])
        for (_, last), free in zip(letters, after, strict=True)
    ]
    return list(zip(starts, ends, strict=True))


def _label_odds(log_probs: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """``(time,)`` the odds of all labels together against the blank, within the bounds of float32."""
    blank = np.maximum(log_probs[:, :1], -80)
    odds: NDArray[np.floating[Any]] = np.exp(np.clip(log_probs[:, 1:] - blank, -80, 80)).sum(axis=1)
    return odds


def _rise(odds: NDArray[np.floating[Any]]) -> int:
    """How many of the last frames lie above the least."""
    return int((odds <= RISEN * odds.min())[::-1].argmax()) if len(odds) else 0


def _decay(odds: NDArray[np.floating[Any]]) -> int:
    """How many frames it takes to come down to the least, that frame included."""
    return int((odds <= DECAYED * odds.min()).argmax()) + 1 if len(odds) else 0


def _text(word: Sequence[tuple[int, Span]], symbols: Sequence[str]) -> str:
    return "".join(symbols[label] for label, _ in word).strip()


def _confidence(word: Sequence[tuple[int, Span]], log_probs: NDArray[np.floating[Any]]) -> float:
    surest = [float(log_probs[start:end, label].max()) for label, (start, end) in word]
    return min(1.0, float(np.exp(np.mean(surest))))
