"""The only path from sound to text: the command line, the API, dev-set scoring and recipes all go through it.

torch is not imported here: an acoustic model is whatever keeps the protocol, so that an exported one can take
its place.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain

import numpy as np

from asr import audio, windows
from asr.decoding import BeamDecoder, decode_greedy, num_cores, open_stream
from asr.decoding.confidence import Calibration
from asr.errors import AsrError, AudioError, DecoderError
from asr.hearing import AcousticModel, Heard, Hearing, Source
from asr.inputs import Waveforms
from asr.streaming import AcousticStream, EndpointRules, Stream, Windows, WindowStream
from asr.text import TextSettings, Vocabulary, normalize
from asr.text_alignment import THRESHOLD, align_text
from asr.types import Alignment, Hypothesis, Transcript, Word

Decoder = Callable[..., Hypothesis]
"""Of log_probs ``(time, vocab)``, symbols, seconds a row, and what else the model's kind has for its decoder."""


class Recognizer:
    """An acoustic model, its vocabulary and a decoder, ready to transcribe."""

    def __init__(
        self,
        acoustic: AcousticModel,
        vocabulary: Vocabulary,
        text: TextSettings = TextSettings(),
        decoder: Decoder = decode_greedy,
        calibration: Calibration | None = None,
        window_settings: windows.WindowSettings = windows.WindowSettings(),
    ):
        self.acoustic = acoustic
        self.vocabulary = vocabulary
        self.text = text
        self.decoder = fitting(acoustic, decoder)
        self.calibration = calibration
        self.hearing = Hearing(acoustic, vocabulary.symbols, window_settings)

    @property
    def rate(self) -> str:
        """What is counted in its texts: words (WER), or of phones these (PER), unless a beam makes words of them."""
        return "WER" if isinstance(self.decoder, BeamDecoder) else self.vocabulary.rate

    def reference(self, text: str) -> str:
        """What was said, as it would have to write it."""
        written = normalize(text, self.text)
        return written if isinstance(self.decoder, BeamDecoder) else self.vocabulary.spoken(written)

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
        parts = self.transcribe_parts(
            source, sample_rate=sample_rate, offset=offset, duration=duration, nbest=nbest
        )
        return windows.together(list(parts))

    def transcribe_parts(
        self,
        source: Source,
        *,
        sample_rate: int | None = None,
        offset: float = 0.0,
        duration: float | None = None,
        nbest: int = 0,
    ) -> Iterator[Transcript]:
        """What ``transcribe`` gives, piece by piece as it is recognised; only long recordings have more than one.

        Words have their times in the recording, ``duration`` is that of the piece.

        Raises:
            AudioError, DecoderError: as ``transcribe``, perhaps after some of the pieces.
        """
        opened = self.hearing.open(source, sample_rate, offset, duration)
        if isinstance(opened, np.ndarray):
            yield self._decode(self.hearing.hear_whole(opened), nbest)
        else:
            yield from self._transcribe_pieces(opened, nbest)

    def align(
        self, source: Source, text: str, *, sample_rate: int | None = None, threshold: float = THRESHOLD
    ) -> Alignment:
        """When each word and character of a given text is said in a recording; sources are those of ``transcribe``.

        Words keep the text's own spelling. One that the recording lacks has no place, one that scores below
        ``threshold`` (nats a character, below 0) is not ``aligned``; what the text lacks stands in ``extra``.

        Raises:
            AudioError: the audio cannot be read or used.
            ConfigError: the threshold is not below 0.
        """
        heard = self.hearing.hear_whole(self.hearing.open(source, sample_rate))
        found = align_text(
            *(heard.log_probs, text, self.vocabulary, self.text, self.acoustic.frame_seconds),
            threshold=threshold,
        )
        return replace(found, duration=heard.seconds)

    def transcribe_all(
        self,
        sources: Iterable[Source],
        *,
        batch_size: int = 8,
        nbest: int = 0,
        on_piece: Callable[[Transcript], None] = lambda piece: None,
    ) -> Iterator[Transcript | AsrError]:
        """One answer a source, in order; what cannot be used becomes the error, and the rest goes on.

        ``on_piece`` gets each piece of a long recording before its answer is there.
        """
        for outcomes in self.hearing.batches(sources, batch_size):
            transcripts = self.decode_all([one for one in outcomes if isinstance(one, Heard)], nbest)
            for one in outcomes:
                if isinstance(one, Heard):
                    yield next(transcripts)
                else:
                    yield one if isinstance(one, AsrError) else self._try_transcribe(one, nbest, on_piece)

    def hear_all(self, sources: Iterable[Source], *, batch_size: int = 8) -> Iterator[Heard | AsrError]:
        """The log_probs of each source, in order, not yet decoded: to decode them in more than one way."""
        for outcomes in self.hearing.batches(sources, batch_size):
            for one in outcomes:
                yield self.hearing.try_whole(one) if callable(one) else one

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

    def _transcribe_pieces(self, waveforms: Waveforms, nbest: int) -> Iterator[Transcript]:
        return self._decode_pieces(self.hearing.pieces(waveforms), nbest)

    def _decode_pieces(self, pieces: Iterable[Heard], nbest: int) -> Iterator[Transcript]:
        start = 0.0
        for heard in pieces:
            yield windows.shifted(self._decode(heard, nbest), start)
            start += heard.seconds

    def _try_transcribe(
        self, waveforms: Waveforms, nbest: int, on_piece: Callable[[Transcript], None]
    ) -> Transcript | AsrError:
        pieces = []
        try:
            for piece in self._transcribe_pieces(waveforms, nbest):
                on_piece(piece)
                pieces.append(piece)
        except AudioError as error:
            return error
        return windows.together(pieces)

    def decode_all(self, heard: Sequence[Heard], nbest: int = 0) -> Iterator[Transcript]:
        """A transcript each; on all cores where the decoder is worth it: a compiled search works outside the GIL."""
        if len(heard) < 2 or self.decoder is decode_greedy:
            return (self._decode(one, nbest) for one in heard)
        # The first one alone: what is compiled or built at first use is then there for all.
        first = self._decode(heard[0], nbest)
        return chain([first], self._pool.map(partial(self._decode, nbest=nbest), heard[1:]))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(num_cores(), "decode")

    def _decode(self, heard: Heard, nbest: int) -> Transcript:
        if heard.pieces:
            return windows.together(list(self._decode_pieces(heard.pieces, nbest)))
        best = self._search(heard, nbest)
        alternatives = tuple(replace(hypothesis, words=self._calibrated(hypothesis)) for hypothesis in best)
        first = alternatives[0]
        return Transcript(first.text, first.words, first.score, heard.seconds, alternatives[:nbest])

    def _search(self, heard: Heard, nbest: int) -> list[Hypothesis]:
        symbols, frame_seconds = self.vocabulary.symbols, self.acoustic.frame_seconds
        if not nbest:
            return [self.decoder(heard.log_probs, symbols, frame_seconds, *heard.besides)]
        if not hasattr(self.decoder, "nbest"):
            raise DecoderError("This decoder knows one text only; take the beam decoder for alternatives.")
        hypotheses: list[Hypothesis] = self.decoder.nbest(
            heard.log_probs, symbols, frame_seconds, nbest, *heard.besides
        )
        return hypotheses

    def _calibrated(self, hypothesis: Hypothesis) -> tuple[Word, ...]:
        if self.calibration is None:
            return hypothesis.words
        return tuple(replace(word, confidence=self.calibration(word.confidence)) for word in hypothesis.words)


def fitting(acoustic: AcousticModel, decoder: Decoder) -> Decoder:
    """The decoder, or what stands for it with a model of this kind.

    Raises:
        DecoderError: it cannot decode such a model.
    """
    fitted: Decoder = getattr(acoustic, "fitting", lambda decoder: decoder)(decoder)
    return fitted
