"""The only path from sound to text: the command line, the API, dev-set scoring and recipes all go through it.

torch is not imported here: an acoustic model is whatever keeps the protocol, so that an exported one can take
its place.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr import audio
from asr.decoding import BeamDecoder, decode_greedy, num_cores, open_stream
from asr.decoding.confidence import Calibration
from asr.errors import AsrError, AudioError, DecoderError
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.streaming import AcousticStream, EndpointRules, Stream, Windows, WindowStream
from asr.text import TextSettings, Vocabulary
from asr.types import Hypothesis, Transcript, Word

if TYPE_CHECKING:
    from asr.stored_decoder import StoredDecoder

Source = audio.Source | NDArray[Any] | Utterance
Decoder = Callable[[NDArray[np.float32], Sequence[str], float], Hypothesis]


class AcousticModel(Protocol):
    """Waveforms in, numpy log_probs out; kept by the torch model and by whatever runs an exported one.

    One that can run while the sound comes has a method ``stream() -> AcousticStream | None`` too.
    """

    sample_rate: int
    """Hz that waveforms must have."""
    num_static: int
    """Columns that precomputed features must have."""
    frame_seconds: float
    """Seconds from one row of log_probs to the next."""

    def log_probs(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """``(time, vocab)`` of each waveform ``(num_samples,)`` or features ``(num_frames, num_static)``."""
        ...


@dataclass(frozen=True)
class Heard:
    """What the acoustic model made of a recording, before anybody decodes it."""

    log_probs: NDArray[np.float32]
    """(time, vocab)"""
    seconds: float
    """Of audio."""


class Recognizer:
    """An acoustic model, its vocabulary and a decoder, ready to transcribe."""

    def __init__(
        self,
        acoustic: AcousticModel,
        vocabulary: Vocabulary,
        text: TextSettings = TextSettings(),
        decoder: Decoder = decode_greedy,
        calibration: Calibration | None = None,
    ):
        self.acoustic = acoustic
        self.vocabulary = vocabulary
        self.text = text
        self.decoder = decoder
        self.calibration = calibration

    def transcribe(
        self,
        source: Source,
        *,
        sample_rate: int | None = None,
        offset: float = 0.0,
        duration: float | None = None,
        nbest: int = 0,
    ) -> Transcript:
        """The transcript of a path, a file object, a manifest's line, or an array with its ``sample_rate``.

        ``offset`` and ``duration`` (seconds) choose a segment of a file without reading the rest. ``nbest`` is how
        many alternatives to give, the transcript's own text among them.

        Raises:
            AudioError: the audio cannot be read or used.
            DecoderError: alternatives are asked of a decoder that has none.
        """
        if isinstance(source, np.ndarray):
            values = self._from_array(source, sample_rate)
        else:
            values = self._read(source, offset, duration)
        return self._decode(self._hear([values])[0], nbest)

    def transcribe_all(
        self, sources: Iterable[Source], *, batch_size: int = 8, nbest: int = 0
    ) -> Iterator[Transcript | AsrError]:
        """One answer a source, in order; what cannot be used becomes the error, and the rest goes on."""
        for outcomes in self._batches(sources, batch_size):
            transcripts = self._decode_all([heard for heard in outcomes if isinstance(heard, Heard)], nbest)
            for outcome in outcomes:
                yield next(transcripts) if isinstance(outcome, Heard) else outcome

    def hear_all(self, sources: Iterable[Source], *, batch_size: int = 8) -> Iterator[Heard | AsrError]:
        """The log_probs of each source, in order, not yet decoded: to decode them in more than one way."""
        for outcomes in self._batches(sources, batch_size):
            yield from outcomes

    def stream(
        self,
        *,
        sample_rate: int | None = None,
        rules: EndpointRules = EndpointRules(),
        windows: Windows = Windows(),
    ) -> Stream:
        """Sound that is still going on, of ``sample_rate`` Hz (the model's unless given), to text as it comes.

        A model that can run so (``model=lstm_streaming``) hears what it would hear in the whole; any other gets
        overlapping ``windows``.

        Raises:
            AudioError: the sample rate is no recording's.
            DecoderError: the decoder cannot stream.
        """
        symbols, frame_seconds = self.vocabulary.symbols, self.acoustic.frame_seconds
        own_rate = self.acoustic.sample_rate
        return Stream(
            self._acoustic_stream(windows),
            audio.Resampler(own_rate if sample_rate is None else sample_rate, own_rate),
            partial(open_stream, self.decoder, symbols, frame_seconds),
            self._calibrated,
            symbols,
            frame_seconds,
            rules,
        )

    def _acoustic_stream(self, windows: Windows) -> AcousticStream:
        own: AcousticStream | None = getattr(self.acoustic, "stream", lambda: None)()
        if own is not None:
            return own
        rate = self.acoustic.sample_rate
        return WindowStream(self.acoustic.log_probs, round(self.acoustic.frame_seconds * rate), rate, windows)

    def _batches(self, sources: Iterable[Source], batch_size: int) -> Iterator[list[Heard | AsrError]]:
        remaining = iter(sources)
        while batch := list(islice(remaining, batch_size)):
            inputs = [self._try_read(source) for source in batch]
            readable = [values for values in inputs if not isinstance(values, AsrError)]
            heard = iter(self._hear(readable) if readable else [])
            yield [values if isinstance(values, AsrError) else next(heard) for values in inputs]

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

    def _hear(self, inputs: Sequence[NDArray[np.float32]]) -> list[Heard]:
        scored = zip(self.acoustic.log_probs(inputs), inputs, strict=True)
        return [Heard(log_probs, self._seconds(values, log_probs)) for log_probs, values in scored]

    def _decode_all(self, heard: Sequence[Heard], nbest: int) -> Iterator[Transcript]:
        """On all cores where the decoder is worth it: a compiled search works outside the GIL."""
        if len(heard) < 2 or self.decoder is decode_greedy:
            return (self._decode(one, nbest) for one in heard)
        # The first one alone: what is compiled or built at first use is then there for all.
        first = self._decode(heard[0], nbest)
        return chain([first], self._pool.map(partial(self._decode, nbest=nbest), heard[1:]))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(num_cores(), "decode")

    def _decode(self, heard: Heard, nbest: int) -> Transcript:
        best = self._search(heard.log_probs, nbest)
        alternatives = tuple(replace(hypothesis, words=self._calibrated(hypothesis)) for hypothesis in best)
        first = alternatives[0]
        return Transcript(first.text, first.words, first.score, heard.seconds, alternatives[:nbest])

    def _search(self, log_probs: NDArray[np.float32], nbest: int) -> list[Hypothesis]:
        symbols, frame_seconds = self.vocabulary.symbols, self.acoustic.frame_seconds
        if not nbest:
            return [self.decoder(log_probs, symbols, frame_seconds)]
        if not hasattr(self.decoder, "nbest"):
            raise DecoderError("This decoder knows one text only; take the beam decoder for alternatives.")
        hypotheses: list[Hypothesis] = self.decoder.nbest(log_probs, symbols, frame_seconds, nbest)
        return hypotheses

    def _calibrated(self, hypothesis: Hypothesis) -> tuple[Word, ...]:
        if self.calibration is None:
            return hypothesis.words
        return tuple(replace(word, confidence=self.calibration(word.confidence)) for word in hypothesis.words)

    def _seconds(self, values: NDArray[np.float32], log_probs: NDArray[np.float32]) -> float:
        if values.ndim == 1:
            return len(values) / self.acoustic.sample_rate
        return len(log_probs) * self.acoustic.frame_seconds


def load(
    model: str | os.PathLike[str], *, device: str = "auto", decoder: Decoder | None = None
) -> Recognizer:
    """The recognizer of a bundled name (``digits-en``), a model directory, or a training's run directory.

    Without ``decoder`` it decodes as `asr tune` stored with the model, or else greedily.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
    """
    from asr import checkpoint, stored_decoder
    from asr.acoustic import pick_device

    folder = checkpoint.resolve(model)
    loaded = checkpoint.load(folder)
    stored = stored_decoder.load(folder)
    if decoder is None:
        decoder = stored_decoder.make_decoder(folder, stored) if stored.uses_beam else decode_greedy
    return Recognizer(
        loaded.acoustic.to(pick_device(device)),
        loaded.vocabulary,
        loaded.text,
        decoder,
        _calibration(decoder, stored),
    )


def _calibration(decoder: Decoder, stored: "StoredDecoder") -> Calibration | None:
    """What was fitted for a decoder of this kind, whatever its weights."""
    if decoder is decode_greedy:
        return stored.confidence.greedy
    return stored.confidence.beam if isinstance(decoder, BeamDecoder) else None
