"""Two language models as one, word by word: p(word) = share * p_other(word) + (1 - share) * p_ngram(word)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.errors import LanguageModelError
from asr.lm.words import NGramModel, WordModel

Row = Sequence[float] | NDArray[np.float64]

ROUNDS = 40
"""Of expectation and maximisation; each costs nothing, and after these nothing moves."""


class Interpolated(WordModel):
    """An n-gram, or nothing, and a model that is asked; the words are the n-gram's, where there is one."""

    asks = True

    def __init__(self, ngram: NGramModel | None, other: WordModel, share: float):
        """``share`` is the other model's.

        Raises:
            LanguageModelError: the share lies outside [0, 1].
        """
        if not 0 <= share <= 1:
            raise LanguageModelError(f"The share {share:g} of a language model does not lie in [0, 1].")
        self.ngram, self.other = ngram, other
        self.share = share if ngram is not None else 1.0
        self._first: WordModel = other if ngram is None else ngram
        self.words = self._first.words
        self.ids_of_other = [other.word_id(word) for word in self.words]
        """Of each word in the other model."""

    @property
    def log_prob(self) -> NDArray[np.float32]:
        """Of each word after nothing, in the model that the words are from."""
        return self._first.log_prob

    def open(self) -> "Conversation":
        """What one search asks.

        Raises:
            LanguageModelError: one of the models is of characters; those can only rescore.
        """
        if self.other.is_characters or self.is_characters:
            raise LanguageModelError(
                "A model of characters cannot be asked for words inside the beam; rescore with it (--rescore)."
            )
        return Conversation(self)

    def score_all(self, sentences: Sequence[Sequence[str]]) -> list[list[float]]:
        """Of each word and </s>, each sentence by itself."""
        theirs = self.other.score_words(sentences)
        if self.ngram is None:
            return theirs
        ours = self.ngram.score_words(sentences)
        return [mix(*pair, self.share) for pair in zip(ours, theirs, strict=True)]

    def score(self, words: Sequence[str]) -> list[float]:
        """Of each word and </s>."""
        return self.score_all([words])[0]


class Conversation:
    """One search's questions: a state is a pair, of the n-gram's state and the other model's."""

    def __init__(self, model: Interpolated):
        self._model, self._asked = model, model.other.open()
        self.eos = model.eos
        start = 0 if model.ngram is None else model.ngram.bos_state
        self._pairs = [(start, self._asked.bos_state)]
        self._numbers = {self._pairs[0]: 0}
        self.bos_state = 0

    def advance_all(self, states: Sequence[int], words: Sequence[int]) -> list[tuple[float, int]]:
        """The log-probability of each word after its state, and the state after it."""
        model, pairs = self._model, [self._pairs[state] for state in states]
        theirs = self._asked.advance_all(
            [other for _, other in pairs], [model.ids_of_other[word] for word in words]
        )
        if model.ngram is None:
            return [(score, self._number((0, after))) for score, after in theirs]
        ours = [model.ngram.advance(state, word) for (state, _), word in zip(pairs, words, strict=True)]
        scores = mix([score for score, _ in ours], [score for score, _ in theirs], model.share)
        afters = zip((after for _, after in ours), (after for _, after in theirs), strict=True)
        return list(zip(scores, map(self._number, afters), strict=True))

    def _number(self, pair: tuple[int, int]) -> int:
        number = self._numbers.setdefault(pair, len(self._pairs))
        if number == len(self._pairs):
            self._pairs.append(pair)
        return number


def mix(ours: Row, theirs: Row, share: float) -> list[float]:
    """The logs of the mixtures of two rows of probabilities, given as logs; ``share`` is the second one's."""
    with np.errstate(divide="ignore"):
        logs = np.log([1 - share, share])
    mixed: list[float] = np.logaddexp(logs[0] + np.array(ours), logs[1] + np.array(theirs)).tolist()
    return mixed


def best_share(ours: Row, theirs: Row) -> float:
    """The share of the second model that makes a text likeliest, given what both say of its words (Jelinek 1980)."""
    difference = np.array(ours) - np.array(theirs)
    share = 0.5
    for _ in range(ROUNDS):
        share = float(
            np.mean(1 / (1 + (1 - share) / max(share, 1e-12) * np.exp(np.minimum(difference, 700))))
        )
    return min(max(share, 0.0), 1.0)
