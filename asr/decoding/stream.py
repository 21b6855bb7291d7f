"""Decoders whose frames come in chunks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.decoding.greedy import decode_greedy
from asr.decoding.words import check_log_probs
from asr.errors import DecoderError
from asr.types import Hypothesis


@dataclass(frozen=True)
class Partial:
    """What a stream has understood so far."""

    text: str
    num_stable: int
    """Characters of ``text`` that no later sound can change."""

    @property
    def stable(self) -> str:
        """The part of the text that stays."""
        return self.text[: self.num_stable]


class GreedyStream:
    """Greedy decoding in progress: what is written stays."""

    def __init__(self, symbols: Sequence[str], frame_seconds: float):
        self._symbols, self._frame_seconds = symbols, frame_seconds
        self._log_probs = [np.empty((0, len(symbols)), np.float32)]
        self._last, self._text = 0, ""

    def accept(self, log_probs: NDArray[np.float32]) -> None:
        """Go on with ``log_probs (time, vocab)``, of any length.

        Raises:
            DecoderError: the shape does not fit the symbols, or a score is not a number.
        """
        check_log_probs(log_probs, self._symbols)
        self._log_probs.append(log_probs)
        for label in log_probs.argmax(axis=1).tolist():
            if label not in (0, self._last):
                self._text += self._symbols[label]
            self._last = label

    @property
    def partial(self) -> Partial:
        """What was said so far."""
        text = " ".join(self._text.split())
        return Partial(text, len(text))

    def finish(self) -> list[Hypothesis]:
        """The text of all that came; more may come all the same."""
        return [decode_greedy(np.concatenate(self._log_probs), self._symbols, self._frame_seconds)]


def open_stream(decoder: Callable[..., Hypothesis], symbols: Sequence[str], frame_seconds: float) -> Any:
    """A decoding by ``decoder`` whose frames come in chunks.

    Raises:
        DecoderError: the decoder needs all frames at once.
    """
    if decoder is decode_greedy:
        return GreedyStream(symbols, frame_seconds)
    if not hasattr(decoder, "stream"):
        raise DecoderError(
            "This decoder needs all frames at once; take greedy or the beam decoder for a stream."
        )
    return decoder.stream(symbols, frame_seconds)
