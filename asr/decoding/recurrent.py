"""A beam with a recurrent language model beside the n-gram: asked inside the beam, or about the n best texts after it.

Inside (shallow fusion, Gulcehre et al. 2015) the compiled search stops where words may end, and all new histories are
run through the network at once. After it (rescoring), the n-gram's part of a text's score is replaced by that of the
interpolated model.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.decoding.beam_settings import BeamSettings
from asr.decoding.decoder import BeamDecoder
from asr.decoding.search import Search
from asr.errors import DecoderError
from asr.lm.interpolated import Interpolated, mix
from asr.lm.words import NGramModel, WordModel
from asr.types import Hypothesis


@dataclass(frozen=True)
class RecurrentUse:
    """How much a decoder believes a recurrent language model, and when it asks it."""

    share: float = 0.5
    """In the probability of each word; the rest is the n-gram's. 1 where there is no n-gram."""
    alpha: float = 0.5
    """Weight of the interpolated log-probabilities."""
    beta: float = 1.0
    """Added for each word (each character, where the n-gram is one of characters)."""
    nbest: int = 50
    """Texts that are rescored."""
    rescore: bool = True
    """After the beam; false asks inside it, which takes longer and misses no text that the n-gram alone would drop."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or self.nbest < 1:
            raise DecoderError("share must lie in [0, 1], and nbest be positive.")
        if not self.alpha >= 0 or not np.isfinite([self.alpha, self.beta]).all():
            raise DecoderError("alpha must not be negative, and alpha and beta must be finite.")


class Parts(NamedTuple):
    """A text of a first pass, taken apart."""

    hypothesis: Hypothesis
    rest: float
    """Its score without the language model and the bonus for words: sounds, unknown words, hotwords."""
    num_units: int
    """What the bonus is for."""
    ours: list[float]
    """The n-gram's log-probability of each word and the end; none without an n-gram."""
    theirs: list[float]
    """The recurrent model's."""

    def score(self, use: RecurrentUse) -> float:
        """What the text is worth under these weights."""
        words = mix(self.ours, self.theirs, use.share) if self.ours else self.theirs
        return self.rest + use.alpha * sum(words) + use.beta * self.num_units


class RecurrentDecoder(BeamDecoder):
    """Beam search with an n-gram or none, and a recurrent model; a share of 0 and equal weights are the beam alone."""

    def __init__(
        self,
        settings: BeamSettings,
        ngram: NGramModel | None,
        recurrent: WordModel,
        use: RecurrentUse,
        hotwords: Mapping[str, float] = MappingProxyType({}),
    ):
        """Take the weights of ``settings`` for the first pass only, where the texts are rescored.

        Raises:
            LanguageModelError: a model of characters is to be asked inside the beam.
        """
        self.use, self.ngram, self.recurrent = use, ngram, recurrent
        if use.rescore:
            super().__init__(settings, ngram, hotwords)
            return
        mixture = Interpolated(ngram, recurrent, use.share)
        mixture.open()  # says what is wrong before there are sounds
        super().__init__(replace(settings, alpha=use.alpha, beta=use.beta), mixture, hotwords)

    def hypotheses(
        self,
        search: Search,
        probs: NDArray[np.float32],
        symbols: Sequence[str],
        frame_seconds: float,
        count: int,
    ) -> list[Hypothesis]:
        """The best ``count`` texts of what a search found; of equals the first pass's order stays."""
        if not self.use.rescore:
            return super().hypotheses(search, probs, symbols, frame_seconds, count)
        found = super().hypotheses(search, probs, symbols, frame_seconds, max(count, self.use.nbest))
        rescored = [_rescored(parts, self.use) for parts in self.take_apart(found)]
        return sorted(rescored, key=lambda one: -one.score)[:count]

    def take_apart(self, found: Sequence[Hypothesis]) -> list[Parts]:
        """What the parts of the scores of a first pass's texts are."""
        words = [one.text.split() for one in found]
        theirs = self.recurrent.score_words(words)
        ours = [[] for _ in found] if self.ngram is None else self.ngram.score_words(words)
        units = [
            len(one.text) if self.ngram is not None and self.ngram.is_characters else len(one.text.split())
            for one in found
        ]
        alpha, beta = self.settings.alpha, self.settings.beta
        return [
            Parts(one, one.score - alpha * sum(mine) - beta * count + self._unpriced(one), count, mine, other)
            for one, count, mine, other in zip(found, units, ours, theirs, strict=True)
        ]

    def _unpriced(self, hypothesis: Hypothesis) -> float:
        """What unknown words cost, where no n-gram of the first pass has asked for it."""
        if self.ngram is not None or self.recurrent.is_characters:
            return 0.0
        unknown = [word for word in hypothesis.text.split() if self.recurrent.word_id(word) == 0]
        return sum(self.settings.unknown + self.settings.unknown_letter * len(word) for word in unknown)


def _rescored(parts: Parts, use: RecurrentUse) -> Hypothesis:
    score, one = parts.score(use), parts.hypothesis
    if not math.isfinite(one.score):  # no text survived the search: nothing to weigh anew
        return one
    acoustic = one.acoustic if one.acoustic is not None else one.score
    return replace(one, score=score, language=score - acoustic)
