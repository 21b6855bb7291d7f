"""What comes out: words, the hypothesis of a decoder, the transcript of a recording. All frozen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """One recognised word; times in seconds from the start of the audio, confidence in [0, 1]."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Hypothesis:
    """A decoder's answer for one utterance; ``score`` is a natural log, never a probability."""

    text: str
    score: float
    words: tuple[Word, ...] = ()
    acoustic: float | None = None
    """The acoustic model's part of the score, from decoders that keep it apart."""
    language: float | None = None
    """The language model's part, weights and bonuses included."""


@dataclass(frozen=True)
class Transcript:
    """A recognizer's answer for one recording: the text, when each word was said, how long it all was."""

    text: str
    words: tuple[Word, ...]
    score: float
    duration: float
    """Seconds of audio that were transcribed."""
    alternatives: tuple[Hypothesis, ...] = ()
    """The best hypotheses, the one above first, where they were asked for."""
