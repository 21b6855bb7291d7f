"""What libsndfile does not read, m4a, aac, wma and the sound of video: by PyAV, where it is installed."""

import itertools
import sys
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import AudioError
from asr.wording import reason

_BLOCK_FRAMES = 256
"""Of a codec, which are some 20 ms each: joined before they are handed on."""


def decode(
    stream: IO[bytes], name: str, offset: float, duration: float | None, why: str
) -> tuple[Iterator[NDArray[Any]], int, float]:
    """Blocks ``(num_samples, channels)`` of the segment, or of all; Hz; and the seconds that the header promises.

    ``why`` is what libsndfile said.

    Raises:
        AudioError: PyAV is not installed or cannot read it; the blocks may raise it too.
    """
    try:
        import av
    except ImportError:
        raise AudioError(
            f"{name}: libsndfile cannot read it ({why}); "
            "`pip install 'asr[av]'` adds m4a, aac, wma and video, or export it as wav or flac."
        ) from None
    stream.seek(0)
    decoding = _decode(av, stream, name, offset, duration, why)
    rate, promised = next(decoding)
    return decoding, rate, promised


def _decode(
    av: Any, stream: IO[bytes], name: str, offset: float, duration: float | None, why: str
) -> Iterator[Any]:
    """First rate and promised seconds, then the blocks."""
    try:
        with av.open(stream, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioError(f"{name}: holds no sound ({container.format.long_name}); remove it.")
            yield from _decode_track(av, container, offset, duration)
    except (av.FFmpegError, ValueError, ArithmeticError) as error:
        raise AudioError(
            f"{name}: damaged, or no audio ({why}; {reason(error)}); export it again as wav or flac."
        ) from None


def _decode_track(av: Any, container: Any, offset: float, duration: float | None) -> Iterator[Any]:
    track = container.streams.audio[0]
    first = float((track.start_time or 0) * track.time_base)
    # Only these containers say where each packet belongs.
    timed = container.format.name.startswith(("mov", "matroska"))
    if timed and offset > 1:
        # A second early, so that the decoder has settled when the segment begins.
        container.seek(int((first + offset - 1) * 1_000_000))
    frames = _frames(av, container, track)
    begin = next(frames, None)
    rate = track.rate if begin is None else begin.sample_rate
    stated = float(track.duration * track.time_base) - offset if timed and track.duration else 0.0
    yield rate, stated if duration is None else duration
    if begin is not None:
        position = max(0, round((begin.time - first) * rate)) if timed and begin.time else 0
        start = round(offset * rate)
        end = sys.maxsize if duration is None else start + round(duration * rate)
        yield from _joined(_between(itertools.chain([begin], frames), position, start, end))


def _between(frames: Iterator[Any], position: int, start: int, end: int) -> Iterator[NDArray[Any]]:
    """The samples from ``start`` to ``end`` of frames that begin at ``position``."""
    for frame in frames:
        yield _samples(frame)[max(0, start - position) : max(0, end - position)]
        position += frame.samples
        if position >= end:
            return


def _joined(blocks: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    while some := list(itertools.islice(blocks, _BLOCK_FRAMES)):
        yield np.concatenate(some)


def _samples(frame: Any) -> NDArray[Any]:
    """``(num_samples, channels)``"""
    planar = frame.format.is_planar
    values: NDArray[Any] = frame.to_ndarray().reshape((-1, frame.samples) if planar else (frame.samples, -1))
    return values.T if planar else values


def _frames(av: Any, container: Any, track: Any) -> Iterator[Any]:
    """The decoded frames before the end or the damage."""
    found = False
    try:
        for frame in container.decode(track):
            yield frame
            found = True
    except av.FFmpegError:
        if not found:
            raise
