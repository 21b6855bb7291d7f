"""From recordings to labels: what a classifier makes of them, one label a recording, with its probability."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr import windows
from asr.errors import AsrError, AudioError, ConfigError
from asr.hearing import AcousticModel, Heard, Hearing, Source
from asr.kinds import kind_of
from asr.manifest import Utterance
from asr.text import TextSettings, Vocabulary, normalize

LONGEST = 600.0
"""Seconds that get one label; they are heard at once."""


@dataclass(frozen=True)
class Classified:
    """What a recording was taken for."""

    label: str
    probability: float
    labels: tuple[tuple[str, float], ...]
    """Every label with its probability, likeliest first; together they are 1."""


class Classifier:
    """An acoustic model that has scores for a whole recording, and the labels that they are of."""

    def __init__(self, acoustic: AcousticModel, vocabulary: Vocabulary, text: TextSettings = TextSettings()):
        self.vocabulary = vocabulary
        self.text = text
        self._hearing = Hearing(acoustic, vocabulary.symbols, windows.WindowSettings(window=LONGEST))

    def classify(self, source: Source, *, sample_rate: int | None = None) -> Classified:
        """The label of a path, a file object, a manifest's line, or an array with its ``sample_rate``.

        Raises:
            AudioError: the audio cannot be read or used, or is longer than ten minutes.
        """
        opened = self._hearing.open(source, sample_rate)
        if not isinstance(opened, np.ndarray):
            raise self._too_long(source)
        return self._label(self._hearing.hear([opened])[0].log_probs)

    def classify_all(
        self, sources: Iterable[Source], *, batch_size: int = 8
    ) -> Iterator[Classified | AsrError]:
        """One answer a source, in order; what cannot be used becomes the error, and the rest goes on."""
        given: list[Source] = []

        def noted() -> Iterator[Source]:
            for source in sources:
                given.append(source)
                yield source

        for outcomes in self._hearing.batches(noted(), batch_size):
            for source, one in zip(given, outcomes, strict=True):
                if isinstance(one, Heard):
                    yield self._label(one.log_probs)
                else:
                    yield one if isinstance(one, AsrError) else self._too_long(source)
            given.clear()

    def label_of(self, utterance: Utterance) -> str:
        """What a manifest says a recording is, written as the model writes labels."""
        return normalize(utterance.text, self.text)

    def _label(self, log_probs: NDArray[np.float32]) -> Classified:
        """Of ``(1, vocab)``, the blank first."""
        probabilities = np.exp(log_probs[0, 1:].astype(np.float64))
        order = np.argsort(-probabilities, kind="stable").tolist()
        labels = tuple((self.vocabulary.symbols[one + 1], float(probabilities[one])) for one in order)
        return Classified(*labels[0], labels)

    def _too_long(self, source: Source) -> AudioError:
        longest = self._hearing.window_settings.window
        name = source.name if isinstance(source, Utterance) else source
        what = os.fspath(name) if isinstance(name, str | os.PathLike) else "the recording"
        return AudioError(f"{what}: is longer than {longest:.0f} s, and a label is of all of it; cut it.")


def load_classifier(model: str | os.PathLike[str], *, device: str = "auto") -> Classifier:
    """The classifier of a model directory or a run directory, as `asr train recipe=fsdd_classify` makes one.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        ConfigError: it writes texts instead, or this machine has no such device.
    """
    from asr import checkpoint
    from asr.acoustic import pick_device

    place = checkpoint.resolve(model)
    if kind_of(checkpoint.load_settings(place).model).writes_texts:
        raise ConfigError(f"{place}: writes texts and has no labels; `asr transcribe` is for such a model.")
    loaded = checkpoint.load(place)
    return Classifier(loaded.acoustic.to(pick_device(device)), loaded.vocabulary, loaded.text)
