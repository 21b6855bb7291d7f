"""Two language models on the same words of the same text: the perplexity of each, and of both interpolated."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.lm.interpolated import best_share, mix
from asr.lm.words import WordModel

Sentences = Sequence[Sequence[str]]


class Compared(NamedTuple):
    """Perplexities of the words that both know and of the ends of sentences."""

    num_sentences: int
    num_words: int
    unknown: int
    """Words that at least one of them does not know; they stay in the histories of the others."""
    ours: float
    theirs: float
    both: float


def compare(ours: WordModel, theirs: WordModel, sentences: Sentences, share: float) -> Compared:
    """Score a text with each by itself and with both; ``share`` is the second one's."""
    rows, unknown = _known_scores(ours, theirs, sentences)
    mixed: NDArray[np.float64] = np.array(mix(*rows, share))
    figures = [float(np.exp(-row.mean())) for row in (*rows, mixed)]
    return Compared(len(sentences), sum(map(len, sentences)), unknown, *figures)


def choose_share(ours: WordModel, theirs: WordModel, sentences: Sentences) -> float:
    """The share of the second one that makes a text likeliest."""
    rows, _ = _known_scores(ours, theirs, sentences)
    return best_share(*rows)


def _known_scores(
    ours: WordModel, theirs: WordModel, sentences: Sentences
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], int]:
    alike = ours.is_characters == theirs.is_characters
    scores = [one.score_all(sentences) if alike else one.score_words(sentences) for one in (ours, theirs)]
    known = np.concatenate([[*(_knows(ours, theirs, word) for word in words), True] for words in sentences])
    first, second = (np.concatenate(rows)[known] for rows in scores)
    return (first, second), int((~known).sum())


def _knows(ours: WordModel, theirs: WordModel, word: str) -> bool:
    """Whether both do; of a model of characters, that is asked of no word."""
    alike = ours.is_characters == theirs.is_characters
    return all(model.word_id(word) != 0 or (model.is_characters and not alike) for model in (ours, theirs))
