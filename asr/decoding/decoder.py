"""The beam decoder as a user meets it: options in, hypotheses out; the search itself is in ``beam``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asr.alignment import align
from asr.decoding.lexicon import UNKNOWN_NODE, Lexicon, build_lexicon
from asr.decoding.words import check_log_probs, make_words
from asr.errors import DecoderError
from asr.types import Hypothesis

if TYPE_CHECKING:
    from asr.lm.ngram import NGram


@dataclass(frozen=True)
class BeamSettings:
    """How wide to search, and how much to believe the language model."""

    beam_width: int = 64
    """Prefixes kept at each frame."""
    alpha: float = 0.5
    """Weight of the language model's log-probabilities; 0 is none at all."""
    beta: float = 1.0
    """Added for each word; without it a language model prefers few."""
    unknown: float = -5.0
    """Added for each word that the language model does not know."""
    lexicon: str = "open"
    """open: any word may be written; strict: only words of the language model."""
    max_tokens: int = 32
    """Symbols tried at each frame at most."""
    token_threshold: float = 12.0
    """Symbols further below the best one of a frame, in nats, are not tried."""
    beam_threshold: float = 20.0
    """Prefixes further below the best one, in nats, are dropped."""

    def __post_init__(self) -> None:
        if self.beam_width < 1 or self.max_tokens < 1:
            raise DecoderError("beam_width and max_tokens must be positive.")
        if self.lexicon not in ("open", "strict"):
            raise DecoderError(f"lexicon={self.lexicon!r} is not one of open, strict.")


class BeamDecoder:
    """Prefix beam search over one recording's log_probs, with a word n-gram where one is given."""

    def __init__(self, settings: BeamSettings = BeamSettings(), language_model: "NGram | None" = None):
        self.settings = settings
        self.language_model = language_model
        self._lexicons: dict[tuple[str, ...], Lexicon] = {}

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
        scores = log_probs.astype(np.float64)
        normalized = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        found: dict[str, Hypothesis] = {}
        for labels, score in self._search(normalized, tuple(symbols)) or [([], -np.inf)]:
            spans = align(normalized, labels)
            words = make_words(labels, spans, normalized, symbols, frame_seconds)
            text = " ".join(word.text for word in words)
            # Prefixes that differ in their spaces alone are one text; the first is the best.
            found.setdefault(text, Hypothesis(text, score, words))
            if len(found) == count:
                break
        return list(found.values())

    def _search(
        self, log_probs: NDArray[np.float64], symbols: tuple[str, ...]
    ) -> list[tuple[list[int], float]]:
        """The labels and the score of every prefix that is left at the end, best first."""
        # Compiled code is loaded when somebody decodes, not when somebody imports.
        from asr.decoding import beam as kernel

        if not len(log_probs):
            return [([], 0.0)]
        weights, lexicon, ngram, first_state, eos = self._scorer(symbols)
        width = self.settings.beam_width
        tree = np.full((2, width * len(log_probs) + 1), -1, np.int32)
        integers = np.zeros((width, kernel.NUM_INTEGERS), np.int64)
        integers[0] = [0, -1, -1, 0, first_state]  # the empty prefix: no last label, no parent
        floats = np.zeros((width, kernel.NUM_FLOATS))
        floats[0, kernel.ENDS_BLANK] = 1.0
        options = (
            width,
            min(self.settings.max_tokens, len(symbols)),
            symbols.index(" ") if " " in symbols else -1,
        )
        beam = (integers, floats)
        _, num_beams, taken_out = kernel.search(
            log_probs, options, weights, lexicon, ngram, (tree[0], tree[1]), 1, beam, 1
        )
        scores = kernel.whole_scores(beam, num_beams, weights, lexicon, ngram, eos) + taken_out
        possible = [slot for slot in np.argsort(-scores) if scores[slot] > -np.inf]
        return [(_labels(tree, integers[slot, kernel.NODE]), float(scores[slot])) for slot in possible]

    def _scorer(self, symbols: tuple[str, ...]) -> tuple[Any, ...]:
        """What the search needs of the language model: weights, lexicon, arrays, first state, </s>."""
        settings, model = self.settings, self.language_model
        thresholds = (settings.token_threshold, settings.beam_threshold)
        if model is None:
            return (
                (0.0, settings.beta, 0.0, *thresholds),
                _no_lexicon(symbols, settings.beta),
                _NO_NGRAM,
                0,
                -1,
            )
        if symbols not in self._lexicons:
            self._lexicons[symbols] = build_lexicon(model.words, model.log_prob, symbols)
        lexicon = self._lexicons[symbols]
        unknown = -np.inf if settings.lexicon == "strict" else settings.unknown
        lookahead = settings.alpha * lexicon.promise.astype(np.float64) + settings.beta
        lookahead[0] = 0.0
        lookahead[UNKNOWN_NODE] += unknown
        weights = (settings.alpha, settings.beta, unknown, *thresholds)
        arrays = (lexicon.children, lookahead, lexicon.word_of)
        return weights, arrays, model.arrays, model.bos_state, model.eos


_NO_NGRAM = (
    np.zeros(1, np.uint64),
    np.zeros(1, np.int32),
    np.zeros(1, np.float32),
    np.zeros(1, np.int32),
    np.zeros(1, np.float32),
    np.full(1, -1, np.int32),
)
"""A language model to which every word is alike."""
for _array in _NO_NGRAM:
    _array.setflags(write=False)


def _no_lexicon(symbols: Sequence[str], beta: float) -> tuple[NDArray[Any], ...]:
    children = np.full((2, len(symbols)), UNKNOWN_NODE, np.int32)
    return children, np.array([0.0, beta]), np.zeros(2, np.int64)


def _labels(tree: NDArray[np.int32], node: int) -> list[int]:
    labels = []
    while node > 0:
        labels.append(int(tree[1, node]))
        node = int(tree[0, node])
    return labels[::-1]
