"""The beam decoder as a user meets it: options in, hypotheses out; the search itself is in ``beam``."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from asr.alignment import align
from asr.compiled import num_compiled
from asr.decoding.hotwords import build_hotwords
from asr.decoding.lexicon import WeightedLexicon, build_lexicon, character_lexicon, weigh
from asr.decoding.scores import softmax, with_spaces_as_blanks
from asr.decoding.search import Scorer, Search
from asr.decoding.stream import Partial
from asr.decoding.words import check_log_probs, make_words
from asr.errors import DecoderError
from asr.lm.words import SPACE, UNKNOWN, WordModel
from asr.types import Hypothesis, Word

Symbols = tuple[str, ...]


WIDEST = 65536


@dataclass(frozen=True)
class BeamSettings:
    """How wide to search, and how much to believe the language model."""

    beam_width: int = 64
    """Prefixes kept at each frame."""
    alpha: float = 0.5
    """Weight of the language model's log-probabilities; 0 leaves them out, not beta and the prices of unknown words."""
    beta: float = 1.0
    """Added for each word (each character, with a model of characters); without it a language model prefers few."""
    unknown: float = -5.0
    """Added for each word that the language model does not know."""
    unknown_letter: float = -1.0
    """Added for each of its letters, whose order had to be guessed as well; else two words would be one long one."""
    lexicon: str = "open"
    """open: any word may be written; strict: only words of the language model, and hotwords."""
    max_tokens: int = 32
    """Symbols tried at each frame at most."""
    token_threshold: float = 8.0
    """Symbols further below the best one of a frame, in nats, are not tried."""
    beam_threshold: float = 12.0
    """Prefixes further below the best one, in nats, are dropped."""
    times: bool = True
    """Whether to find when each word was said; without, hypotheses have a text and no words, and come sooner."""

    def __post_init__(self) -> None:
        if not 1 <= self.beam_width <= WIDEST or self.max_tokens < 1:
            raise DecoderError(f"beam_width must lie between 1 and {WIDEST}, and max_tokens be positive.")
        if self.lexicon not in ("open", "strict"):
            raise DecoderError(f"lexicon={self.lexicon!r} is not one of open, strict.")
        for name in ("alpha", "beta", "unknown", "unknown_letter"):
            if not math.isfinite(getattr(self, name)):
                raise DecoderError(f"{name}={getattr(self, name)} must be a finite number.")
        if self.alpha < 0:
            raise DecoderError(f"alpha={self.alpha:g} must not be negative; 0 leaves the language model out.")
        if not (self.token_threshold >= 0 and self.beam_threshold >= 0):
            raise DecoderError("token_threshold and beam_threshold must not be negative.")


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
        self._scorers: dict[Symbols, Scorer] = {}

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
        started, before = time.perf_counter(), num_compiled()
        # Of words that need other symbols than these, nothing is compiled anew.
        alone = BeamDecoder(self.settings)
        alone.nbest(np.log([[0.1, 0.8, 0.1]] * 2, dtype=np.float32), ("<blank>", "a", " "), 0.01, 1)
        return time.perf_counter() - started if num_compiled() > before else 0.0

    def scorer(self, symbols: Sequence[str]) -> Scorer:
        """What the search needs besides the sounds, made once for each vocabulary."""
        key = tuple(symbols)
        if key not in self._scorers:
            self._scorers[key] = self._make_scorer(key)
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
            labels = search.labels(prefix)
            text = " ".join("".join([symbols[label] for label in labels]).split())
            # Characters followed by a space are the same text in another state; the first is the best.
            if text not in kept:
                words: tuple[Word, ...] = ()
                if self.settings.times:
                    spans = align(alignable, labels)
                    words = make_words(labels, spans, log_probs, symbols, frame_seconds)
                kept[text] = Hypothesis(text, score, words, score - language, language)
            if len(kept) == count:
                break
        return list(kept.values()) or [Hypothesis("", -math.inf, (), -math.inf, 0.0)]

    def _make_scorer(self, symbols: Symbols) -> Scorer:
        from asr.decoding import prefixes

        settings, model = self.settings, self.language_model
        mode = prefixes.WORDS
        if model is not None and model.is_characters:
            mode = prefixes.CHARACTERS
        elif model is None and settings.beta == 0:
            mode = prefixes.ALIKE
        options = prefixes.Options(
            width=settings.beam_width,
            max_tokens=min(settings.max_tokens, len(symbols)),
            token_share=math.exp(-settings.token_threshold),
            beam_share=math.exp(-settings.beam_threshold),
            space=symbols.index(" ") if " " in symbols else -1,
            mode=mode,
            alpha=settings.alpha if model is not None else 0.0,
            beta=settings.beta,
            has_hotwords=bool(self.hotwords),
            asks=model is not None and model.asks,
        )
        hotwords = build_hotwords(self.hotwords, symbols)
        return Scorer(options, self._lexicon(symbols), hotwords, model)

    def _lexicon(self, symbols: Symbols) -> WeightedLexicon:
        settings, model = self.settings, self.language_model
        if model is None:
            nobody = np.zeros(1, np.float32)
            return weigh(
                build_lexicon([UNKNOWN], nobody, symbols), 0.0, settings.beta, 0.0, 0.0, strict=False
            )
        if model.is_characters:
            if settings.lexicon == "strict":
                raise DecoderError(
                    "lexicon=strict needs a language model of words, and this one is of characters."
                )
            tokens = [model.word_id(SPACE if symbol == " " else symbol) for symbol in symbols]
            return character_lexicon(tokens)
        hotwords = sorted({word for phrase in self.hotwords for word in phrase.split()})
        lexicon = build_lexicon(model.words, model.log_prob, symbols, hotwords)
        if not lexicon.is_word.any():
            raise DecoderError(
                "The model's letters can write no word of the language model; is it of this language?"
            )
        strict = settings.lexicon == "strict"
        return weigh(
            lexicon, settings.alpha, settings.beta, settings.unknown, settings.unknown_letter, strict=strict
        )


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
        symbols = [self._symbols[label] for label in self._search.best()]
        return Partial("".join(symbols), len("".join(symbols[: self._search.num_stable()])))

    def finish(self, count: int = 1) -> list[Hypothesis]:
        """The ``count`` best texts of all that came; more may come all the same."""
        probs = np.concatenate([np.empty((0, len(self._symbols)), np.float32), *self._probs])
        return self._decoder.hypotheses(self._search, probs, self._symbols, self._frame_seconds, count)


def num_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
