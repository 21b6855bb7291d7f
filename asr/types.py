"""What comes out: words, the hypothesis of a decoder, the transcript or the alignment of a recording. All frozen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Pronunciations = Mapping[str, Sequence[Sequence[int]]]
"""The labels of each way to say a word, the usual way first."""


class Symbols(tuple[str, ...]):
    """The symbols of a model, with the words that they can say where they do not spell them: of phones."""

    pronunciations: Pronunciations | None

    def __new__(cls, symbols: Iterable[str], pronunciations: Pronunciations | None = None) -> "Symbols":
        """A tuple is made, not initialised."""
        made = super().__new__(cls, symbols)
        made.pronunciations = pronunciations
        return made


def pronunciations_of(symbols: Sequence[str]) -> Pronunciations | None:
    """None where symbols spell words."""
    return getattr(symbols, "pronunciations", None)


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


@dataclass(frozen=True)
class Character:
    """A letter of an aligned word, as the model writes it; the letters of a word follow each other without gaps."""

    text: str
    start: float
    end: float
    score: float
    """How far it lies below the best symbol of its surest frame, in nats: 0 where it is the best itself."""


@dataclass(frozen=True)
class AlignedWord(Word):
    """A word of a given text; one without a place in the recording stands, without length, where it was left out."""

    characters: tuple[Character, ...] = ()
    """Nothing where it has no place."""
    score: float | None = None
    """The mean of its characters' scores; None where it has no place."""
    aligned: bool = True
    """Whether it has a place, and a score above the threshold."""


@dataclass(frozen=True)
class Stretch:
    """Seconds of the recording in which something is said that the text lacks."""

    start: float
    end: float
    score: float
    """How many nats a frame the best symbols lie above silence, on average."""


@dataclass(frozen=True)
class Alignment(Transcript):
    """A given text with its times: a transcript, so every output format takes it."""

    words: tuple[AlignedWord, ...]
    extra: tuple[Stretch, ...] = ()
    """What is said and not in the text."""
    unwritable: tuple[str, ...] = ()
    """Characters of the text that the model has no symbol for, each once; they were left out."""
