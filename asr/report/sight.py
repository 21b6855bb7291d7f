"""What a recognizer makes of one recording, stage by stage: waveform, features, log_probs, words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from asr.alignment import align
from asr.decoding import attend
from asr.decoding.words import make_words
from asr.hearing import Heard
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.types import Word

FAINTEST = 0.1
"""A symbol is shown where its probability once reaches this."""
MOST_SYMBOLS = 60


@runtime_checkable
class ShowsFeatures(Protocol):
    """What an acoustic model can do besides, if its front end can be looked into."""

    features_name: str

    def features(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(num_frames, num_static)`` as the network gets them, of a waveform or of static features."""
        ...


@dataclass(frozen=True)
class Sight:
    """One recording as a recognizer sees it."""

    seconds: float
    sample_rate: int
    waveform: NDArray[np.float32] | None
    """(num_samples,); None where only features are stored."""
    features: NDArray[np.float32] | None
    """(num_frames, num_static), normalised; None where the acoustic model does not show them."""
    log_probs: NDArray[np.float32]
    """(time, vocab)"""
    frame_seconds: float
    """Of a row of log_probs."""
    symbols: Sequence[str]
    words: tuple[Word, ...]
    """As heard."""
    said: tuple[Word, ...] = ()
    """The words of the reference where forced alignment puts them; none if the model cannot write or fit them."""
    features_name: str = "features"
    attention: NDArray[np.floating[Any]] | None = None
    """(label, time) what was attended to when each label of ``written`` was; None where the model has no attention."""
    written: Sequence[str] = ()
    """The symbol of each label; of an end a full stop."""

    @property
    def shown_symbols(self) -> list[int]:
        """The labels that the model ever thinks of, in the order of the vocabulary, the blank always."""
        peaks = np.exp(self.log_probs).max(axis=0, initial=0.0)
        loudest = [int(label) for label in np.argsort(-peaks[1:], kind="stable")[:MOST_SYMBOLS] + 1]
        return [0, *sorted(label for label in loudest if peaks[label] >= FAINTEST)]


def look(
    recognizer: Recognizer,
    utterance: Utterance,
    heard: Heard,
    words: tuple[Word, ...],
    reference: str = "",
) -> Sight:
    """Of what was heard already; the recording itself is read once more.

    Raises:
        AudioError: it cannot be read any more.
    """
    acoustic = recognizer.acoustic
    values = load_input(utterance, acoustic.sample_rate, acoustic.num_static)
    return Sight(
        heard.seconds,
        acoustic.sample_rate,
        values if values.ndim == 1 else None,
        acoustic.features(values) if isinstance(acoustic, ShowsFeatures) else None,
        heard.log_probs,
        acoustic.frame_seconds,
        recognizer.vocabulary.symbols,
        words,
        _place(recognizer, reference, heard.log_probs),
        acoustic.features_name if isinstance(acoustic, ShowsFeatures) else "features",
        *_attention(recognizer, heard, words),
    )


def name_symbol(symbol: str) -> str:
    """As it can be seen: the blank as a dash, the space as a mark."""
    return {"<blank>": "–"}.get(symbol, symbol.replace(" ", "␣"))


def _attention(
    recognizer: Recognizer, heard: Heard, words: Sequence[Word]
) -> tuple[NDArray[np.floating[Any]] | None, list[str]]:
    """Piece by piece, as it was written."""
    pieces = [piece for piece in heard.pieces or (heard,) if piece.besides]
    if not pieces:
        return None, []
    blocks, written, begin = [], list[str](), 0.0
    for piece in pieces:
        said = " ".join(word.text for word in words if begin <= word.start < begin + piece.seconds)
        labels = recognizer.vocabulary.encode_written(said)
        weights = attend(piece.besides[0], labels)
        before = round(begin / recognizer.acoustic.frame_seconds)
        after = len(heard.log_probs) - before - weights.shape[1]
        blocks.append(np.pad(weights, ((0, 0), (before, max(0, after)))))
        written += [*(recognizer.vocabulary.symbols[label] for label in labels), "."]
        begin += piece.seconds
    width = len(heard.log_probs)
    return np.concatenate([block[:, :width] for block in blocks]), written


def _place(recognizer: Recognizer, reference: str, log_probs: NDArray[np.float32]) -> tuple[Word, ...]:
    vocabulary = recognizer.vocabulary
    if not reference or vocabulary.unknown_characters(reference):
        return ()
    labels = vocabulary.encode(reference, recognizer.text)
    spans = align(log_probs, labels)
    if not spans:
        return ()
    return make_words(labels, spans, log_probs, vocabulary.symbols, recognizer.acoustic.frame_seconds)
