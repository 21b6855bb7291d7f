"""The only path from sound to text: the command line, the API, dev-set scoring and recipes all go through it.

torch is not imported here: an acoustic model is whatever keeps the protocol, so that an exported one can take
its place.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr import audio
from asr.decoding import decode_greedy
from asr.errors import AsrError, AudioError
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.text import TextSettings, Vocabulary
from asr.types import Hypothesis, Transcript

Source = audio.Source | NDArray[Any] | Utterance
Decoder = Callable[[NDArray[np.float32], Sequence[str], float], Hypothesis]


class AcousticModel(Protocol):
    """Waveforms in, numpy log_probs out; kept by the torch model and by whatever runs an exported one."""

    sample_rate: int
    """Hz that waveforms must have."""
    num_static: int
    """Columns that precomputed features must have."""
    frame_seconds: float
    """Seconds from one row of log_probs to the next."""

    def log_probs(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """``(time, vocab)`` of each waveform ``(num_samples,)`` or features ``(num_frames, num_static)``."""
        ...


class Recognizer:
    """An acoustic model, its vocabulary and a decoder, ready to transcribe."""

    def __init__(
        self,
        acoustic: AcousticModel,
        vocabulary: Vocabulary,
        text: TextSettings = TextSettings(),
        decoder: Decoder = decode_greedy,
    ):
        self.acoustic = acoustic
        self.vocabulary = vocabulary
        self.text = text
        self.decoder = decoder

    def transcribe(
        self,
        source: Source,
        *,
        sample_rate: int | None = None,
        offset: float = 0.0,
        duration: float | None = None,
    ) -> Transcript:
        """The transcript of a path, a file object, a manifest's line, or an array with its ``sample_rate``.

        ``offset`` and ``duration`` (seconds) choose a segment of a file without reading the rest.

        Raises:
            AudioError: the audio cannot be read or used.
        """
        if isinstance(source, np.ndarray):
            values = self._from_array(source, sample_rate)
        else:
            values = self._read(source, offset, duration)
        return self._transcribe([values])[0]

    def transcribe_all(
        self, sources: Iterable[Source], *, batch_size: int = 8
    ) -> Iterator[Transcript | AsrError]:
        """One answer a source, in order; what cannot be used becomes the error, and the rest goes on."""
        remaining = iter(sources)
        while batch := list(islice(remaining, batch_size)):
            outcomes = [self._try_read(source) for source in batch]
            readable = [values for values in outcomes if not isinstance(values, AsrError)]
            transcripts = iter(self._transcribe(readable) if readable else [])
            for outcome in outcomes:
                yield outcome if isinstance(outcome, AsrError) else next(transcripts)

    def _try_read(self, source: Source) -> NDArray[np.float32] | AsrError:
        try:
            if isinstance(source, np.ndarray):
                return self._from_array(source, None)
            return self._read(source, 0.0, None)
        except AsrError as error:
            return error

    def _read(
        self, source: audio.Source | Utterance, offset: float, duration: float | None
    ) -> NDArray[np.float32]:
        if not isinstance(source, Utterance):
            if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
                kind = type(source).__name__
                raise AudioError(f"A {kind} is no recording; give a path, a file object or a numpy array.")
            return audio.load(source, self.acoustic.sample_rate, offset=offset, duration=duration)
        return load_input(source, self.acoustic.sample_rate, self.acoustic.num_static)

    def _from_array(self, samples: NDArray[Any], sample_rate: int | None) -> NDArray[np.float32]:
        if sample_rate is None:
            raise AudioError("An array of samples says nothing of its rate; give sample_rate=.")
        return audio.prepare(samples, sample_rate, self.acoustic.sample_rate)

    def _transcribe(self, inputs: Sequence[NDArray[np.float32]]) -> list[Transcript]:
        log_probs = self.acoustic.log_probs(inputs)
        return [
            self._decode(scores, self._seconds(values, scores))
            for scores, values in zip(log_probs, inputs, strict=True)
        ]

    def _decode(self, log_probs: NDArray[np.float32], seconds: float) -> Transcript:
        hypothesis = self.decoder(log_probs, self.vocabulary.symbols, self.acoustic.frame_seconds)
        return Transcript(hypothesis.text, hypothesis.words, hypothesis.score, seconds)

    def _seconds(self, values: NDArray[np.float32], log_probs: NDArray[np.float32]) -> float:
        if values.ndim == 1:
            return len(values) / self.acoustic.sample_rate
        return len(log_probs) * self.acoustic.frame_seconds


def load(
    model: str | os.PathLike[str], *, device: str = "auto", decoder: Decoder = decode_greedy
) -> Recognizer:
    """The recognizer of a bundled name (``digits-en``), a model directory, or a training's run directory.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
    """
    from asr import checkpoint
    from asr.acoustic import pick_device

    loaded = checkpoint.load(model)
    return Recognizer(loaded.acoustic.to(pick_device(device)), loaded.vocabulary, loaded.text, decoder)
