"""From sources to log_probs: what the acoustic model makes of recordings, short ones in batches, long ones in windows.

torch is not imported here: an acoustic model is whatever keeps the protocol.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from asr import audio, windows
from asr.decoding.attention import Spelling
from asr.errors import AsrError, AudioError
from asr.inputs import Waveforms, open_input, open_recording
from asr.manifest import Utterance

Source = audio.Source | NDArray[Any] | Utterance

_BATCH_SECONDS = 600
"""Of audio, padding counted, that the network gets at a time: its memory stays that of a long file."""


class AcousticModel(Protocol):
    """Waveforms in, numpy log_probs out; kept by the torch model and by whatever runs an exported one.

    One that can run while the sound comes has a method ``stream() -> AcousticStream | None`` too. One that writes with
    a decoder of its own is a ``SpellingModel``.
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


@runtime_checkable
class NormalizingModel(Protocol):
    """One that normalises by all of an utterance, and can do so by all of a recording that it hears in windows."""

    def fitted_to(self, waveforms: Iterable[audio.Waveform]) -> AcousticModel:
        """The model with the statistics of a whole recording."""
        ...


@runtime_checkable
class SpellingModel(Protocol):
    """One that may write label by label, attending to what lies beside its log_probs."""

    longest_seconds: float
    """That it can write at once."""

    def rows(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """``(time, vocab + width)``: the log_probs, and to their right what is attended to, if anything is."""
        ...

    def spelling(self, states: NDArray[np.float32]) -> Spelling:
        """An utterance of these ``(time, width)``, ready to be written."""
        ...


@dataclass(frozen=True)
class Heard:
    """What the acoustic model made of a recording, before anybody decodes it."""

    log_probs: NDArray[np.float32]
    """(time, vocab)"""
    seconds: float
    """Of audio."""
    pieces: tuple["Heard", ...] = ()
    """What a long recording is decoded in, one after the other; none of a short one."""
    besides: tuple[Spelling, ...] = ()
    """What a decoder of the model's kind takes besides the log_probs; nothing for one of frames."""


class Hearing:
    """An acoustic model over recordings of any length."""

    def __init__(
        self, acoustic: AcousticModel, symbols: Sequence[str], window_settings: windows.WindowSettings
    ):
        self.acoustic = acoustic
        self.symbols = symbols
        self.window_settings = window_settings

    def open(
        self,
        source: Source,
        sample_rate: int | None = None,
        offset: float = 0.0,
        duration: float | None = None,
    ) -> NDArray[np.float32] | Waveforms:
        """The values that the model takes, or how to read them piece by piece where they are many.

        Raises:
            AudioError: the audio cannot be read or used, or a segment is asked for of what is no file.
        """
        rate, longest = self.acoustic.sample_rate, self.window_settings.window
        if isinstance(source, (np.ndarray, Utterance)) and (offset or duration is not None):
            raise AudioError(
                "offset and duration choose a segment of a file; slice the array, or give the manifest's line its own."
            )
        if isinstance(source, np.ndarray):
            if sample_rate is None:
                raise AudioError("An array of samples says nothing of its rate; give sample_rate=.")
            samples = audio.prepare(source, sample_rate, rate)
            return samples if len(samples) <= longest * rate else lambda: iter([samples])
        if isinstance(source, Utterance):
            return open_input(source, rate, self.acoustic.num_static, longest)
        return open_recording(source, rate, longest, offset, duration)

    def hear(self, inputs: Sequence[NDArray[np.float32]]) -> list[Heard]:
        """Waveforms or features that fit into a window each."""
        most = _BATCH_SECONDS * self.acoustic.sample_rate
        batches = windows.in_batches(inputs, most)
        scored = zip(chain.from_iterable(map(_rows(self.acoustic), batches)), inputs, strict=True)
        return [self._in_pieces(rows, self._seconds(values, rows)) for rows, values in scored]

    def pieces(self, waveforms: Waveforms) -> Iterator[Heard]:
        """A long recording in pieces that end in pauses.

        Raises:
            AudioError: the audio cannot be read, perhaps after some of the pieces.
        """
        acoustic = self.acoustic
        if isinstance(acoustic, NormalizingModel):
            acoustic = acoustic.fitted_to(waveforms())
        settings = replace(self.window_settings, piece=self._longest)
        grid = windows.grid(settings, acoustic.frame_seconds, acoustic.sample_rate)
        pieces = windows.hear(_rows(acoustic), waveforms(), grid, self.symbols)
        return (self._heard(rows, num_samples / acoustic.sample_rate) for rows, num_samples in pieces)

    def hear_whole(self, opened: NDArray[np.float32] | Waveforms) -> Heard:
        """The same of any length in one piece.

        Raises:
            AudioError: the audio cannot be read.
        """
        if isinstance(opened, np.ndarray):
            return self.hear([opened])[0]
        pieces = tuple(self.pieces(opened))
        log_probs = np.concatenate([one.log_probs for one in pieces])
        return Heard(log_probs, sum(one.seconds for one in pieces), pieces)

    def try_whole(self, waveforms: Waveforms) -> Heard | AsrError:
        """``hear_whole``; what cannot be read becomes the error."""
        try:
            return self.hear_whole(waveforms)
        except AudioError as error:
            return error

    def batches(
        self, sources: Iterable[Source], batch_size: int
    ) -> Iterator[list[Heard | Waveforms | AsrError]]:
        """So many sources at a time: heard, or how to read them where they are long, or why that is impossible."""
        remaining = iter(sources)
        while batch := list(islice(remaining, batch_size)):
            opened = [self._try_open(source) for source in batch]
            heard = iter(self.hear([values for values in opened if isinstance(values, np.ndarray)]))
            yield [next(heard) if isinstance(values, np.ndarray) else values for values in opened]

    @property
    def _longest(self) -> float:
        piece = self.window_settings.piece
        return (
            min(piece, self.acoustic.longest_seconds) if isinstance(self.acoustic, SpellingModel) else piece
        )

    def _in_pieces(self, rows: NDArray[np.float32], seconds: float) -> Heard:
        """What was heard whole, in pieces that are written one by one."""
        heard, frame_seconds = self._heard(rows, seconds), self.acoustic.frame_seconds
        if seconds <= self._longest:
            return heard
        parts = list(windows.cut([rows], self.symbols, round(self._longest / frame_seconds)))
        pieces = [self._heard(part, len(part) * frame_seconds) for part in parts]
        last = seconds - sum(piece.seconds for piece in pieces[:-1])
        return replace(heard, pieces=(*pieces[:-1], replace(pieces[-1], seconds=last)))

    def _heard(self, rows: NDArray[np.float32], seconds: float) -> Heard:
        log_probs, states = rows[:, : len(self.symbols)], rows[:, len(self.symbols) :]
        if isinstance(self.acoustic, SpellingModel) and states.shape[1]:
            return Heard(log_probs, seconds, besides=(self.acoustic.spelling(states),))
        return Heard(log_probs, seconds)

    def _try_open(self, source: Source) -> NDArray[np.float32] | Waveforms | AsrError:
        try:
            return self.open(source)
        except AsrError as error:
            return error

    def _seconds(self, values: NDArray[np.float32], rows: NDArray[np.float32]) -> float:
        if values.ndim == 1:
            return len(values) / self.acoustic.sample_rate
        return len(rows) * self.acoustic.frame_seconds


def _rows(acoustic: AcousticModel) -> Callable[[Sequence[NDArray[np.float32]]], list[NDArray[np.float32]]]:
    return acoustic.rows if isinstance(acoustic, SpellingModel) else acoustic.log_probs
