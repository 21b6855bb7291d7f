"""Recordings in, waveforms out: float32, mono, at the rate the model wants.

Mixing down, resampling (soxr) and the warning about upsampling happen here and nowhere else; how the
bytes of a file become samples is the business of ``audio_files``.
"""

import logging
import math
import os
from collections.abc import Iterable, Iterator
from functools import partial, reduce
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from asr import audio_files, folders
from asr.audio_files import Source, from_bytes, name_of, rewindable
from asr.errors import AudioError

__all__ = [
    "SUFFIXES",
    "Resampler",
    "Source",
    "Waveform",
    "duration",
    "find",
    "from_bytes",
    "load",
    "name_of",
    "prepare",
    "resample",
    "rewindable",
    "sample_rate",
    "stated_duration",
    "stream",
]

Waveform = NDArray[np.float32]

SUFFIXES = frozenset(
    (
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".nist", ".wv1"),
        *(".aif", ".aiff", ".au", ".caf", ".w64", ".rf64"),
        *(".m4a", ".mp4", ".aac", ".wma", ".webm", ".mkv", ".mov", ".amr", ".3gp"),
    )
)
"""What counts as a recording when a folder is searched; whether it can be read, the reading says."""

_RATES = range(1000, 1_000_001)
"""Hz; beyond them a header is damaged, and resampling would ask for gigabytes."""
_MAX_CHANNELS = 1024
_LOUDEST = 256.0
"""Full scale is 1; decoders and float files overshoot it, but not so far."""
_MIXED_VALUES = 1 << 18
_TOLERANCE = 0.1
"""Seconds that may be missing without a warning: manifests round, and mp3 headers count padding."""

_log = logging.getLogger(__name__)


def load(source: Source, sample_rate: int, *, offset: float = 0.0, duration: float | None = None) -> Waveform:
    """The waveform ``(num_samples,)`` of a file or file object, or of the segment at ``offset`` seconds.

    Before resampling, a segment equals the same part of the whole to the sample (mp3: but for rounding;
    Matroska: to a millisecond). A damaged or truncated recording gives what is there, and a warning.

    Raises:
        AudioError: the audio cannot be read, is empty, or the segment lies outside it.
    """
    (waveform,) = stream(source, sample_rate, offset=offset, duration=duration)
    return waveform


def stream(
    source: Source,
    sample_rate: int,
    longest: float = math.inf,
    *,
    offset: float = 0.0,
    duration: float | None = None,
) -> Iterator[Waveform]:
    """What ``load`` gives in one piece if it has up to ``longest`` seconds; else piece by piece, none of them kept.

    Raises:
        AudioError: as ``load``, perhaps after some of the pieces.
    """
    name = name_of(source)
    _check_segment(name, offset, duration)
    with audio_files.opened(source) as file:
        decoding = audio_files.decode(file, name, offset, duration)
        _check_rate(decoding.rate, name)
        blocks, begun, num_samples = _told_if_short(name, decoding), [], 0
        for block in blocks:
            begun.append(block)
            num_samples += len(block)
            if num_samples > longest * decoding.rate:
                yield from _prepared(chain(begun, blocks), decoding.rate, sample_rate, name)
                return
        if not num_samples:
            what = f"the segment at {offset:g} s lies outside the recording" if offset else "holds no audio"
            raise AudioError(f"{name}: {what}; remove it or correct its entry.")
        samples = begun[0] if len(begun) == 1 else np.concatenate(begun)
        yield prepare(samples, decoding.rate, sample_rate, name=name)


def prepare(samples: NDArray[Any], rate: int, sample_rate: int, *, name: str = "the array") -> Waveform:
    """Samples ``(num_samples,)`` or ``(num_samples, channels)`` as ``load`` gives them; integers are scaled.

    Raises:
        AudioError: a sample is not finite or far beyond full scale, or the rate, shape or type is no audio's.
    """
    return resample(_checked(samples, rate, name, 0), rate, sample_rate, name=name)


def resample(waveform: Waveform, rate: float, sample_rate: float, *, name: str = "the array") -> Waveform:
    """The waveform at another rate (soxr HQ); going up adds no information, and that is said once a file."""
    if rate == sample_rate:
        return waveform
    _warn_if_raised(rate, sample_rate, name)
    resampled: Waveform = soxr.resample(waveform, rate, sample_rate)
    # Audio so short that the filter swallows it keeps one sample rather than becoming nothing.
    return resampled if len(resampled) else waveform[:1]


class Resampler:
    """``prepare`` for sound in pieces: together they come out as the whole would (a tenth of a second late)."""

    def __init__(self, rate: int, sample_rate: int, *, name: str = "the stream"):
        _check_rate(rate, name)
        _warn_if_raised(rate, sample_rate, name)
        self._rate, self._name = rate, name
        self._resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
        self._num_samples = 0

    def accept(self, samples: NDArray[Any]) -> Waveform:
        """What samples ``(num_samples,)`` or ``(num_samples, channels)``, also none, add to the waveform.

        Raises:
            AudioError: as ``prepare``.
        """
        if samples.ndim and not len(samples):
            return np.zeros(0, np.float32)
        waveform = _checked(samples, self._rate, self._name, self._num_samples)
        self._num_samples += len(waveform)
        added: Waveform = self._resampler.resample_chunk(waveform)
        return added

    def finish(self) -> Waveform:
        """What the filter still holds."""
        rest: Waveform = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        return rest


def duration(source: Source) -> float:
    """Seconds of audio in a file or file object, from its header where the format has the length there.

    An mp3 without a Xing or Info header is estimated from its bit rate.

    Raises:
        AudioError: the audio cannot be read.
    """
    name = name_of(source)
    with audio_files.opened(source) as stream:
        seconds = audio_files.stated_seconds(stream, name)
        if seconds is None:
            decoding = audio_files.decode(stream, name, 0.0, None)
            _check_rate(decoding.rate, name)
            seconds = sum(map(len, decoding.blocks)) / decoding.rate
    return seconds


def stated_duration(source: Source) -> float | None:
    """The same where it costs nothing but a look at the header.

    Raises:
        AudioError: the audio cannot be read.
    """
    with audio_files.opened(source) as stream:
        return audio_files.stated_seconds(stream, name_of(source))


def sample_rate(source: Source) -> int | None:
    """Hz of a file or file object, where its header is one that libsndfile reads.

    Raises:
        AudioError: the audio cannot be read.
    """
    with audio_files.opened(source) as stream:
        return audio_files.stated_rate(stream, name_of(source))


def find(folder: str | os.PathLike[str], *, recursive: bool = True) -> list[Path]:
    """Every recording in a folder, and below it, by its suffix, sorted by path; what is hidden is left alone.

    Linked folders are searched too; what several paths lead to comes once.
    """
    return sorted(folders.files_in(folder, SUFFIXES, recursive=recursive))


def _check_segment(name: str, offset: float, duration: float | None) -> None:
    length = 1.0 if duration is None else duration
    if not (0 <= offset < math.inf and 0 < length < math.inf):
        raise AudioError(
            f"{name}: no segment at {offset:g} s lasts {length:g} s; give offset >= 0 and duration > 0."
        )


def _told_if_short(name: str, decoding: audio_files.Decoding) -> Iterator[NDArray[Any]]:
    """Its blocks, and at their end a warning if they are fewer than was promised."""
    num_samples = 0
    for block in decoding.blocks:
        num_samples += len(block)
        yield block
    seconds, promised = num_samples / decoding.rate, decoding.promised
    if num_samples and promised - seconds > _TOLERANCE:
        stated = "" if math.isinf(promised) else f" of {promised:.2f}"
        _log.warning(
            "%s: damaged or cut short: %.2f%s s could be read; copy it again if there should be more.",
            *(name, seconds, stated),
        )


def _prepared(blocks: Iterable[NDArray[Any]], rate: int, sample_rate: int, name: str) -> Iterator[Waveform]:
    """As ``prepare``, block by block; what the resampler holds back comes last."""
    resampler = Resampler(rate, sample_rate, name=name)
    yield from map(resampler.accept, blocks)
    yield resampler.finish()


def _warn_if_raised(rate: float, sample_rate: float, name: str) -> None:
    if rate < sample_rate:
        _log.warning(
            "%s: %g Hz audio for a %g Hz model; the high frequencies are missing.",
            *(name, rate, sample_rate),
            extra={"many": "files have a lower sample rate than the model"},
        )


def _checked(samples: NDArray[Any], rate: int, name: str, before: int) -> Waveform:
    """Mixed down and scaled; so many samples came before."""
    _check_array(samples, rate, name)
    waveform = _mono(samples)
    # Integers are numbers within full scale. Of floats both ends are NaN if any is, and no comparison holds for NaN.
    if samples.dtype.kind == "f" and not -_LOUDEST <= waveform.min() <= waveform.max() <= _LOUDEST:
        raise AudioError(f"{name}: {_what_is_wrong(waveform, rate, before)}")
    return waveform


def _check_array(samples: NDArray[Any], rate: int, name: str) -> None:
    channels = max(samples.shape[1:], default=1)
    # Who has 64-bit integers has made them of narrower ones, and their full scale is lost.
    is_numbers = samples.dtype.kind == "f" or (samples.dtype.kind in "iu" and samples.dtype.itemsize <= 4)
    if not (samples.size and is_numbers and samples.ndim in (1, 2) and channels <= _MAX_CHANNELS):
        raise AudioError(
            f"{name}: expected floats or integers of 8 to 32 bits, (num_samples,) or (num_samples, channels), "
            f"not {samples.dtype} {samples.shape}; reshape or convert them."
        )
    _check_rate(rate, name)


def _check_rate(rate: int, name: str) -> None:
    if not _RATES.start <= rate < _RATES.stop:
        raise AudioError(f"{name}: a sample rate of {rate} Hz is no recording's; correct its header.")


def _what_is_wrong(waveform: Waveform, rate: int, before: int) -> str:
    finite = np.isfinite(waveform)
    if not finite.all():
        seconds = (before + int(np.argmin(finite))) / rate
        return f"a sample at {seconds:.3f} s is not a finite number; export the file again."
    peak = np.abs(waveform).max()
    return f"samples reach {peak:g} where full scale is 1; divide them, or export 16-bit integers."


def _mono(samples: NDArray[Any]) -> Waveform:
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    rest, full_scale = _rest_and_full_scale(samples.dtype)
    weight = np.float32(1 / (full_scale * channels))
    mixed = np.empty(len(samples), np.float32)
    block = np.empty((_MIXED_VALUES // channels, channels), np.float32)  # stays in the cache
    for begin in range(0, len(samples), len(block)):
        part = mixed[begin : begin + len(block)]
        block[: len(part)] = samples[begin : begin + len(part)].reshape(-1, channels)
        total = reduce(partial(np.add, out=part), block[: len(part)].T)
        np.multiply(total, weight, out=part)
    return mixed - np.float32(rest / full_scale) if rest else mixed


def _rest_and_full_scale(kind: np.dtype[Any]) -> tuple[float, float]:
    """The value of silence, and what is 1."""
    if kind.kind not in "iu":
        return 0.0, 1.0
    limits = np.iinfo(kind)
    full_scale = (float(limits.max) - float(limits.min) + 1) / 2
    return (full_scale if limits.min == 0 else 0.0), full_scale
