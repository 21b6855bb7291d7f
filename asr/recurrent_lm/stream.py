"""A text as one long row of words, anew in each epoch, and that row in pieces for truncated backpropagation."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.vocabulary import LMVocabulary


class Text:
    """Sentences as numbers, each with its end; what an epoch makes of them is a function of seed and epoch."""

    def __init__(
        self, sentences: Sequence[Sequence[str]], vocabulary: LMVocabulary, settings: RecurrentLMSettings
    ):
        self._sentences = [np.array(vocabulary.encode(words), np.int32) for words in sentences]
        self._settings = settings
        self._once = np.array(vocabulary.counts) == 1
        self._once[:2] = False
        self.num_words = sum(map(len, self._sentences))

    def epoch(self, number: int) -> NDArray[np.int64]:
        """``(num_words + 1,)`` the words of all sentences, the end of a sentence before them."""
        rng = np.random.default_rng([self._settings.seed, number])
        sentences = self._sentences
        if self._settings.shuffle:
            sentences = [sentences[index] for index in rng.permutation(len(sentences)).tolist()]
        row = np.concatenate([np.ones(1, np.int32), *sentences]).astype(np.int64)
        row[self._once[row] & (rng.random(len(row)) < self._settings.unknown)] = 0
        return row


def num_pieces(num_words: int, settings: RecurrentLMSettings) -> int:
    """How many pieces ``pieces`` makes."""
    return -(-(num_words // _num_places(num_words, settings)) // settings.num_steps)


def pieces(row: NDArray[np.int64], settings: RecurrentLMSettings) -> Iterator[tuple[Tensor, Tensor]]:
    """Words and the words that follow them, ``(places, num_steps)`` each; a piece goes on where the last one ends.

    The row is cut into as many parts as are read at once; up to ``places - 1`` words at its end are left out.
    """
    places = _num_places(len(row) - 1, settings)
    length = (len(row) - 1) // places
    words, following = (
        torch.from_numpy(row[start : start + places * length]).view(places, length) for start in (0, 1)
    )
    for start in range(0, length, settings.num_steps):
        end = start + settings.num_steps
        yield words[:, start:end], following[:, start:end]


def _num_places(num_words: int, settings: RecurrentLMSettings) -> int:
    """Fewer than asked for where the text is too short for them."""
    return max(min(settings.batch_size, num_words // settings.num_steps), 1)
