"""The beam decoder as a user meets it: options in, hypotheses out; the search itself is in ``beam``."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from asr.alignment import Span, align
from asr.decoding.beam_settings import BeamSettings
from asr.decoding.scorer import Scorer, make_scorer
from asr.decoding.scores import softmax, with_spaces_as_blanks
from asr.decoding.search import Search
from asr.decoding.spelling import Units
from asr.decoding.stream import Partial
from asr.decoding.words import check_log_probs, make_words
from asr.errors import DecoderError
from asr.lm.words import WordModel
from asr.types import Hypothesis, Word, pronunciations_of


class BeamDecoder:
    """Prefix beam search, with an n-gram of words or characters and with hotwords where they are given.

    Hotwords are words or phrases and their boosts in nats. One decoder may be used by many threads.
    """

    def __init__(
        self,
        settings: BeamSettings = BeamSettings(),
        language_model: WordModel | None = None,
        hotwords: Mapping[str, float] = MappingProxyType({}),
    ):
        self.settings = settings
        self.language_model = language_model
        self.hotwords = dict(hotwords)
        self._scorers: dict[tuple[tuple[str, ...], int], Scorer] = {}

    def __call__(
        self, log_probs: NDArray[np.float32], symbols: Sequence[str], frame_seconds: float
    ) -> Hypothesis:
        """The best hypothesis, as every decoder gives it."""
        return self.nbest(log_probs, symbols, frame_seconds, 1)[0]

    def nbest(
        self, log_probs: NDArray[np.float32], symbols: Sequence[str], frame_seconds: float, count: int
    ) -> list[Hypothesis]:
        """The ``count`` best texts of ``log_probs (time, vocab)``, best first; constants added to them cancel.

        Raises:
            DecoderError: the shape does not fit the symbols, or a score is not a number.
        """
        check_log_probs(log_probs, symbols)
        probs = softmax(log_probs)
        search = Search(self.scorer(symbols), len(symbols))
        search.accept(probs)
        return self.hypotheses(search, probs, symbols, frame_seconds, count)

    def batch(
        self,
        log_probs: NDArray[np.float32],
        lengths: Sequence[int],
        symbols: Sequence[str],
        frame_seconds: float,
    ) -> list[Hypothesis]:
        """The best hypothesis of each of ``log_probs (batch, time, vocab)``, on all cores.

        Raises:
            DecoderError: as ``nbest``; also when the lengths do not fit.
        """
        fit = log_probs.ndim == 3 and len(lengths) == len(log_probs)
        if not fit or not all(0 <= length <= log_probs.shape[1] for length in lengths):
            raise DecoderError(f"lengths {list(lengths)} do not fit log_probs of shape {log_probs.shape}.")
        self.scorer(symbols)  # once, and not in every thread
        with ThreadPoolExecutor(num_cores()) as threads:
            rows = [one[:length] for one, length in zip(log_probs, lengths, strict=True)]
            return list(threads.map(lambda row: self(row, symbols, frame_seconds), rows))

    def stream(self, symbols: Sequence[str], frame_seconds: float) -> "BeamStream":
        """A decoding whose frames come in chunks."""
        return BeamStream(self, symbols, frame_seconds)

    def warm_up(self) -> float:
        """Load the compiled search, or compile it where nobody has yet; returns the seconds that compiling took."""
        from asr.compiled import num_compiled

        started, before = time.perf_counter(), num_compiled()
        # Of words that need other symbols than these, nothing is compiled anew.
        alone = BeamDecoder(self.settings)
        alone.nbest(np.log([[0.1, 0.8, 0.1]] * 2, dtype=np.float32), ("<blank>", "a", " "), 0.01, 1)
        return time.perf_counter() - started if num_compiled() > before else 0.0

    def scorer(self, symbols: Sequence[str]) -> Scorer:
        """What the search needs besides the sounds, made once for each vocabulary."""
        key = (
            tuple(symbols),
            id(pronunciations_of(symbols)),
        )  # the scorer keeps them, so no other has their id
        if key not in self._scorers:
            self._scorers[key] = make_scorer(
                self.settings, self.language_model, self.hotwords, Units(symbols)
            )
        return self._scorers[key]

    def hypotheses(
        self,
        search: Search,
        probs: NDArray[np.float32],
        symbols: Sequence[str],
        frame_seconds: float,
        count: int,
    ) -> list[Hypothesis]:
        """The best ``count`` texts of what a search found, never none, with their words."""
        kept: dict[str, Hypothesis] = {}
        if self.settings.times:
            log_probs = np.log(probs)
            alignable = with_spaces_as_blanks(log_probs, symbols)
        for prefix, score, language in search.found():
            labels, text = search.labels(prefix), search.text(prefix)
            # Characters followed by a space are the same text in another state; the first is the best.
            if text not in kept:
                words: tuple[Word, ...] = ()
                if self.settings.times:
                    spans = align(alignable, labels)
                    words = self._words(text, labels, spans, log_probs, symbols, frame_seconds)
                kept[text] = Hypothesis(text, score, words, score - language, language)
            if len(kept) == count:
                break
        return list(kept.values()) or [Hypothesis("", -math.inf, (), -math.inf, 0.0)]

    def _words(
        self,
        text: str,
        labels: Sequence[int],
        spans: Sequence[Span],
        log_probs: NDArray[np.float32],
        symbols: Sequence[str],
        frame_seconds: float,
    ) -> tuple[Word, ...]:
        """As ``make_words``; sounds become the word that the text has for them."""
        if pronunciations_of(symbols) is None:
            return make_words(labels, spans, log_probs, symbols, frame_seconds)
        plain = [symbol.strip() or symbol for symbol in symbols]
        heard = make_words(labels, spans, log_probs, plain, frame_seconds)
        return tuple(replace(word, text=one) for word, one in zip(heard, text.split(), strict=True))


class BeamStream:
    """A decoding in progress: any chunks give in the end what all frames at once would have given."""

    def __init__(self, decoder: BeamDecoder, symbols: Sequence[str], frame_seconds: float):
        self._decoder, self._symbols, self._frame_seconds = decoder, symbols, frame_seconds
        self._search = Search(decoder.scorer(symbols), len(symbols))
        self._probs: list[NDArray[np.float32]] = []

    def accept(self, log_probs: NDArray[np.float32]) -> None:
        """Go on with ``log_probs (time, vocab)``, of any length.

        Raises:
            DecoderError: the shape does not fit the symbols, or a score is not a number.
        """
        check_log_probs(log_probs, self._symbols)
        probs = softmax(log_probs)
        self._probs.append(probs)
        self._search.accept(probs)

    @property
    def partial(self) -> Partial:
        """What seems to have been said so far."""
        return self._search.partial()

    def finish(self, count: int = 1) -> list[Hypothesis]:
        """The ``count`` best texts of all that came; more may come all the same."""
        probs = np.concatenate([np.empty((0, len(self._symbols)), np.float32), *self._probs])
        return self._decoder.hypotheses(self._search, probs, self._symbols, self._frame_seconds, count)


def num_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
