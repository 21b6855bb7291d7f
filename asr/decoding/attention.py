"""The beam search of models that write label by label, joined with what CTC makes of each text (Watanabe et al. 2017).

The model is whatever keeps the protocol ``Spelling``; torch is not known here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr.alignment import align
from asr.decoding.ctc_prefixes import Prefixes
from asr.decoding.scores import with_spaces_as_blanks
from asr.decoding.words import Span, check_log_probs, make_words
from asr.errors import DecoderError
from asr.types import Hypothesis, Word

END = 0
"""The blank's id, which no text holds, ends a text, and begins it."""
Rows = NDArray[np.floating[Any]]


class Spelling(Protocol):
    """One utterance that is being written."""

    ctc_weight: float
    """The share of CTC that the model was trained with."""

    def begin(self) -> Any:
        """The state of one text with nothing in it."""
        ...

    def advance(self, state: Any, rows: Sequence[int], labels: Sequence[int]) -> tuple[Rows, Rows, Any]:
        """Write a label behind each of some texts, ``rows`` of the state.

        Natural logs ``(text, vocab)`` of what comes next, the weights ``(text, time)`` of the frames that say so,
        and the new state.
        """
        ...


@dataclass(frozen=True)
class AttentionSearch:
    """How wide to search, and how long a text may be."""

    beam_width: int = 8
    """Texts kept at each label; 1 is greedy."""
    ctc_weight: float | None = None
    """Share of the CTC prefix score; null: that of the training."""
    length_bonus: float = 0.0
    """Nats for each label: what is longer scores less, whatever was said."""
    min_ratio: float = 0.0
    """Labels at least, as a share of the frames of the encoder."""
    max_ratio: float = 0.8
    """Labels at most."""
    end_threshold: float = 1.5
    """A text ends only if the log-probability of its end is more than this many times that of the best label
    (Hannun et al. 2019). Not asked where CTC has a share: it knows when no more is said."""
    least_speech: float = 0.5
    """With fewer labels than this expected by CTC in all frames together, nobody speaks: the text is empty."""
    most_speech: float = 1.5
    """Labels at most, as a multiple of those that CTC expects: attention that lost its way goes round in circles."""

    def __post_init__(self) -> None:
        if not 1 <= self.beam_width <= 1024:
            raise DecoderError(f"beam_width={self.beam_width} must lie between 1 and 1024.")
        if self.ctc_weight is not None and not 0 <= self.ctc_weight <= 1:
            raise DecoderError(f"ctc_weight={self.ctc_weight:g} must lie in [0, 1].")
        if not 0 <= self.min_ratio <= self.max_ratio <= 1:
            raise DecoderError("min_ratio and max_ratio must lie in [0, 1], the one not above the other.")
        if not math.isfinite(self.length_bonus) or self.end_threshold < 1:
            raise DecoderError("length_bonus must be finite and end_threshold at least 1.")
        if not (self.least_speech >= 0 and self.most_speech > 0):
            raise DecoderError("least_speech must not be negative, and most_speech be positive.")


@dataclass(frozen=True)
class Text:
    """A text on its way."""

    labels: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    """Of each label by attention, and once it has ended, of the end."""
    peaks: tuple[int, ...] = ()
    """The frame that each label attended to most."""
    score: float = 0.0


class AttentionDecoder:
    """A beam search over labels; one may be used by many threads."""

    def __init__(self, settings: AttentionSearch = AttentionSearch()):
        self.settings = settings

    def __call__(
        self, log_probs: NDArray[np.float32], symbols: Sequence[str], frame_seconds: float, spelling: Spelling
    ) -> Hypothesis:
        """The best hypothesis, as every decoder gives it."""
        return self.nbest(log_probs, symbols, frame_seconds, 1, spelling)[0]

    def nbest(
        self,
        log_probs: NDArray[np.float32],
        symbols: Sequence[str],
        frame_seconds: float,
        count: int,
        spelling: Spelling,
    ) -> list[Hypothesis]:
        """The ``count`` best texts of an utterance whose CTC scores are ``log_probs (time, vocab)``, best first.

        Raises:
            DecoderError: the shape does not fit the symbols, or a score is not a number.
        """
        check_log_probs(log_probs, symbols)
        if _expected(log_probs) < self.settings.least_speech:
            return [Hypothesis("", float(log_probs[:, END].sum()))]
        kept: dict[str, Hypothesis] = {}
        for text in search(spelling, log_probs, self.settings, count):
            words = _words(text, log_probs, symbols, frame_seconds)
            written = " ".join(word.text for word in words)
            kept.setdefault(written, Hypothesis(written, text.score, words))
        return list(kept.values())[:count]

    def stream(self, symbols: Sequence[str], frame_seconds: float) -> Any:
        """Raise ``DecoderError``: a text that was begun cannot be gone on with when there is more to attend to."""
        raise DecoderError(
            "An attention model (model.kind=seq2seq) needs the whole utterance before it writes; "
            "take a CTC model for a stream."
        )


def attend(spelling: Spelling, labels: Sequence[int]) -> Rows:
    """``(label + 1, time)``: the weights of the frames at each label of a given text and at its end."""
    state, weights = spelling.begin(), []
    for label in (END, *labels):
        _, seen, state = spelling.advance(state, [0], [label])
        weights.append(seen[0])
    return np.stack(weights)


def search(
    spelling: Spelling, log_probs: NDArray[np.float32], settings: AttentionSearch, count: int = 1
) -> list[Text]:
    """The texts that have ended, best first, for certain the ``count`` best that a beam of this width meets."""
    return _Search(spelling, log_probs, settings).run(count)


def _expected(log_probs: NDArray[np.float32]) -> float:
    """Frames in which CTC hears a label: as many labels, or a few more where one lasts."""
    return float(np.sum(1 - np.exp(log_probs[:, END])))


class _Search:
    def __init__(self, spelling: Spelling, log_probs: NDArray[np.float32], settings: AttentionSearch):
        self.spelling, self.settings = spelling, settings
        self.weight = spelling.ctc_weight if settings.ctc_weight is None else settings.ctc_weight
        most = min(settings.max_ratio * len(log_probs), settings.most_speech * _expected(log_probs))
        self.most = math.ceil(most)
        self.least = min(self.most, math.floor(settings.min_ratio * len(log_probs)))
        self.texts, self.ended = [Text()], list[Text]()
        self.state, self.rows = spelling.begin(), [0]
        self.prefixes = Prefixes.empty(log_probs)

    def run(self, count: int) -> list[Text]:
        for length in range(self.most + 1):
            self._extend(length)
            if not self.texts or self._decided(length, count):
                break
            if self.weight:
                labels = np.array([text.labels[-1] for text in self.texts])
                self.prefixes = self.prefixes.grown(np.array(self.rows), labels)
        return self.ended

    def _extend(self, length: int) -> None:
        """Each text by each label, and by its end; the best of all these are kept, and those that ended laid aside."""
        written = [text.labels[-1] if text.labels else END for text in self.texts]
        nexts, weights, self.state = self.spelling.advance(self.state, self.rows, written)
        scores = np.where(self._may_follow(nexts, length), self._scores(nexts, length), -np.inf)
        before, peaks, self.texts, self.rows = self.texts, weights.argmax(axis=1), [], []
        for row, label in _best(scores, self.settings.beam_width):
            log_probs = (*before[row].log_probs, float(nexts[row, label]))
            score = float(scores[row, label])
            if label == END:
                self.ended.append(replace(before[row], log_probs=log_probs, score=score))
            else:
                labels, seen = (*before[row].labels, label), (*before[row].peaks, int(peaks[row]))
                self.texts.append(Text(labels, log_probs, seen, score))
                self.rows.append(row)
        self.ended.sort(key=lambda text: -text.score)

    def _scores(self, nexts: Rows, length: int) -> Rows:
        """``(text, vocab)`` of the texts so extended, by attention and CTC together."""
        scores = np.array([[sum(text.log_probs)] for text in self.texts]) + nexts
        if self.weight:
            heard = self.prefixes.extended()
            heard[:, END] = self.prefixes.ended()
            scores = (1 - self.weight) * scores + self.weight * heard
        bonus = np.full(scores.shape[1], self.settings.length_bonus * (length + 1))
        bonus[END] -= self.settings.length_bonus
        joint: Rows = scores + bonus
        return joint

    def _may_follow(self, nexts: Rows, length: int) -> NDArray[np.bool_]:
        """``(text, vocab)``: whether a text is short enough for another label, and long and sure enough to end."""
        may = np.full(nexts.shape, length < self.most)
        sure = nexts[:, END] > self.settings.end_threshold * nexts[:, 1:].max(axis=1)
        may[:, END] = (length >= self.least) & (sure | bool(self.weight) | (length == self.most))
        return may

    def _decided(self, length: int, count: int) -> bool:
        """Whether no text that goes on can still become one of the ``count`` best: a score falls but for the bonus."""
        hope = max(text.score for text in self.texts)
        hope += max(self.settings.length_bonus, 0.0) * (self.most - length - 1)
        return len(self.ended) >= count and self.ended[count - 1].score >= hope


def _best(scores: Rows, width: int) -> list[tuple[int, int]]:
    """Rows and labels of the best scores, best first, the first of equals first; none that is impossible."""
    flat = scores.ravel()
    order = np.argsort(-flat, kind="stable")[:width]
    places = order[np.isfinite(flat[order])].tolist()
    return [divmod(place, scores.shape[1]) for place in places]


def _words(
    text: Text, log_probs: NDArray[np.float32], symbols: Sequence[str], frame_seconds: float
) -> tuple[Word, ...]:
    """Times from the path of CTC that writes the text, or else from the attention; confidences from the attention."""
    spans = align(with_spaces_as_blanks(log_probs, symbols), text.labels) or _attended(text.peaks)
    words = make_words(text.labels, spans, log_probs, symbols, frame_seconds)
    letters: list[list[float]] = [[]]
    for label, log_prob in zip(text.labels, text.log_probs, strict=False):
        if symbols[label].startswith(" "):
            letters.append([])
        if symbols[label] != " ":
            letters[-1].append(log_prob)
    surely = [min(1.0, math.exp(sum(some) / len(some))) for some in letters if some]
    return tuple(replace(word, confidence=one) for word, one in zip(words, surely, strict=True))


def _attended(peaks: Sequence[int]) -> list[Span]:
    """The frames that labels attended to, none before the last one's."""
    return [(frame, frame + 1) for frame in np.maximum.accumulate(np.array(peaks, int)).tolist()]
