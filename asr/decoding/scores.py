"""Scores of a network to what the search and the alignment work on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.errors import DecoderError

_IMPOSSIBLE = np.float32(-80.0)
"""Below a frame's best; so that something is possible whatever the lexicon forbids."""


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities ``(time, vocab)``, whatever constants had been added to their logarithms.

    Raises:
        DecoderError: the scores of a frame are infinite, or all of them minus infinity.
    """
    best = np.ascontiguousarray(scores.T).max(
        axis=0, initial=-np.inf
    )  # four times as fast as along short rows
    if not np.isfinite(best).all():
        frame = int(np.isfinite(best).argmin())
        raise DecoderError(
            f"log_probs have no finite best score at frame {frame}; the model's weights are damaged."
        )
    probs = np.exp(np.maximum(np.asarray(scores - best[:, None], np.float32), _IMPOSSIBLE))
    probs /= np.einsum("ij->i", probs)[:, None]
    return probs


def with_spaces_as_blanks(log_probs: NDArray[np.float32], symbols: Sequence[str]) -> NDArray[np.float32]:
    """For alignment: the spaces that were said before, behind and between words more than once are not in the text."""
    if " " not in symbols:
        return log_probs
    alignable = log_probs.copy()
    alignable[:, 0] = np.maximum(log_probs[:, 0], log_probs[:, symbols.index(" ")])
    return alignable
