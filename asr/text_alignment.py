"""A given text placed in a recording: words and characters with times, and what of either has no place in the other.

A word stands as the text writes it, and is looked for as the model writes. What the recording lacks is left out of
the path where its characters would score worse than the threshold; what the text lacks is passed over between words
(``alignment.align_words``).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asr.alignment import Span, align_words
from asr.decoding.scores import with_spaces_as_blanks
from asr.decoding.words import check_log_probs, word_frames
from asr.errors import ConfigError
from asr.text import TextSettings, Vocabulary, normalize
from asr.types import AlignedWord, Alignment, Character, Stretch

THRESHOLD = -6.0
"""Nats a character: a word with a lower score is not what is said there."""
STRANGE = 1.0
"""Nats a frame to pass over what the text lacks. Both chosen on a chapter with sentences added and left out, heard by
a model that was wrong in two words of three: dearer, neighbouring words spread over what is passed over."""
FEWEST_SYMBOLS = 3
"""Frames that show one; less of what the text lacks is noise."""
LONGEST_PAUSE = 1.0
"""Seconds of silence in what the text lacks."""

LogProbs = NDArray[np.float32]
Letters = list[tuple[int, Span]]
"""The labels of a word but for spaces, and the frames of each."""


def align_text(
    log_probs: LogProbs,
    text: str,
    vocabulary: Vocabulary,
    settings: TextSettings,
    frame_seconds: float,
    *,
    threshold: float = THRESHOLD,
) -> Alignment:
    """The words of ``text`` on the likeliest path through ``log_probs (time, vocab)``.

    Raises:
        ConfigError: the threshold is not below 0.
        DecoderError: the scores do not fit the vocabulary.
    """
    check_log_probs(log_probs, vocabulary.symbols)
    if not threshold < 0:
        raise ConfigError(f"threshold={threshold:g} must lie below 0, the score of what is surely said.")
    tokens = text.split()
    labels = vocabulary.spell(tokens, settings)
    alignable = with_spaces_as_blanks(log_probs, vocabulary.symbols)
    spans = align_words(alignable, labels, -threshold, STRANGE)
    placed = [
        [(label, span) for label, span in zip(own, where, strict=True) if vocabulary.symbols[label] != " "]
        if where
        else []
        for own, where in zip(labels, spans, strict=True)
    ]
    unexpected = dict(_unexpected(alignable, [where for where in spans if where], frame_seconds))
    # What the text lacks takes its time as words do, so that none of its neighbours spreads over it.
    ends = sorted([_ends(letters) for letters in placed if letters] + list(unexpected))
    frames = dict(zip(ends, word_frames(ends, log_probs, frame_seconds), strict=True))
    words = _Words(log_probs, vocabulary, frame_seconds, threshold, frames).make(tokens, placed)
    return Alignment(
        text=" ".join(tokens),
        words=tuple(words),
        score=sum(character.score for word in words for character in word.characters),
        duration=len(log_probs) * frame_seconds,
        extra=tuple(
            Stretch(frames[span][0] * frame_seconds, frames[span][1] * frame_seconds, score)
            for span, score in unexpected.items()
        ),
        unwritable=tuple(
            one for one in vocabulary.unknown_characters(normalize(text, settings)) if one != " "
        ),
    )


def _ends(letters: Letters) -> Span:
    return letters[0][1][0], letters[-1][1][1]


def _unexpected(
    log_probs: LogProbs, placed: Sequence[Sequence[Span]], seconds: float
) -> Iterator[tuple[Span, float]]:
    """The frames of what the path passes over between words, cut at long pauses, and its mean score."""
    above = log_probs.max(axis=1, initial=-np.inf) - log_probs[:, 0]
    starts = [0, *(spans[-1][1] for spans in placed)]
    ends = [*(spans[0][0] for spans in placed), len(log_probs)]
    for start, end in zip(starts, ends, strict=True):
        frames = start + np.flatnonzero(above[start:end] > STRANGE)
        for run in np.split(frames, np.flatnonzero(np.diff(frames) * seconds > LONGEST_PAUSE) + 1):
            if len(run) >= FEWEST_SYMBOLS:
                yield (int(run[0]), int(run[-1]) + 1), float(above[run].mean())


class _Words:
    """Makes words of letters and their frames."""

    def __init__(
        self,
        log_probs: LogProbs,
        vocabulary: Vocabulary,
        frame_seconds: float,
        threshold: float,
        frames: Mapping[Span, Span],
    ):
        self.log_probs = log_probs
        self.best = log_probs.max(axis=1) if len(log_probs) else np.empty(0, np.float32)
        self.symbols = vocabulary.symbols
        self.frame_seconds = frame_seconds
        self.threshold = threshold
        self.frames = frames

    def make(self, tokens: Sequence[str], placed: Sequence[Letters]) -> list[AlignedWord]:
        """A word for each token; one without letters stands at the end of the one before it."""
        words: list[AlignedWord] = []
        now = 0.0
        for token, letters in zip(tokens, placed, strict=True):
            if letters:
                words.append(self._word(token, letters, self.frames[_ends(letters)]))
                now = words[-1].end
            else:
                words.append(AlignedWord(token, now, now, 0.0, aligned=False))
        return words

    def _word(self, token: str, letters: Letters, frames: Span) -> AlignedWord:
        sure = [(label, self._surest(label, span)) for label, span in letters]
        margins = [float(self.log_probs[frame, label] - self.best[frame]) for label, frame in sure]
        score = float(np.mean(margins))
        confidence = min(1.0, float(np.exp(np.mean([self.log_probs[frame, label] for label, frame in sure]))))
        edges = [frames[0], *(first for _, (first, _) in letters[1:]), frames[1]]
        characters = tuple(
            Character(
                self.symbols[label].strip(), start * self.frame_seconds, end * self.frame_seconds, margin
            )
            for (label, _), (start, end), margin in zip(letters, pairwise(edges), margins, strict=True)
        )
        start, end = (frame * self.frame_seconds for frame in frames)
        return AlignedWord(token, start, end, confidence, characters, score, score >= self.threshold)

    def _surest(self, label: int, span: Span) -> int:
        return span[0] + int(self.log_probs[span[0] : span[1], label].argmax())
