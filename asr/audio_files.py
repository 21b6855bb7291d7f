"""The bytes of a recording to its samples, at its own rate and with its own channels.

soundfile reads wav, flac, ogg (vorbis and opus), mp3 and NIST SPHERE from its wheel alone; PyAV, when it is
installed, reads m4a, aac, wma and video, and what soundfile fails on.
"""

import contextlib
import io
import math
import os
import re
import sys
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.errors import AudioError

Source = str | os.PathLike[str] | IO[bytes]

_LIBSNDFILE = re.compile(
    rb"RIF[FX]....WAVE|RIFF....RMP3|RF64|riff\x2e\x91\xcf|fLaC|OggS|ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]"
    rb"|NIST_1A|FORM....AIF[FC]|\.snd|dns\.|caff",
    re.DOTALL,
)
"""How the formats begin that libsndfile is trusted with; its readers of rarities see no bytes."""
_STATED = re.compile(r"^ ?(?:data|  Data Size|SSND|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
"""libsndfile's log line on a length in a header of wav, au, aiff or w64 that is not the file's."""
_NO_END = re.compile("Last page lacks an end-of-stream bit|Junk after the last page")
"""The same of ogg, which states no length, but marks its end."""
_STREAMED = 0x7FFF0000
"""A length in bytes from here on is what programs write that stream and do not know it."""
_UNKNOWN_LENGTH = 1 << 62
"""libsndfile's SF_COUNT_MAX is above it."""
_BLOCK_SAMPLES = 1 << 22
"""Decoded at a time: a header that lies about its length must not reserve the memory for it."""


class Found(NamedTuple):
    """Samples as they are in the file, or in one segment of it."""

    samples: NDArray[Any]
    """``(num_samples, channels)``, integers or floats."""
    rate: int
    """Hz."""
    promised: float
    """Seconds that the header, or the caller, speaks of; infinite when the end is known to be missing."""


class _Unsupported(Exception):
    """libsndfile cannot read it; PyAV may."""


def name_of(source: Source) -> str:
    """What messages call a source: its path, its file's name, or "standard input"."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    name = getattr(source, "name", None)
    if name == "<stdin>":
        return "standard input"
    return name if isinstance(name, str) else "the audio stream"


def from_bytes(data: bytes, name: str) -> IO[bytes]:
    """A named, seekable file object, as standard input is not."""
    stream = io.BytesIO(data)
    stream.name = name
    return stream


@contextlib.contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    """A seekable binary stream at its start; what fails while it is open is told as an AudioError."""
    name = name_of(source)
    try:
        if isinstance(source, (str, os.PathLike)):
            # Unbuffered: libsndfile gets the file descriptor and must find it where we left it.
            with open(source, "rb", buffering=0) as file:
                yield _seekable(cast(IO[bytes], file), name)
        else:
            yield _seekable(source, name)
    except (OSError, EOFError, ValueError) as error:
        raise AudioError(
            f"{name}: cannot be read ({_reason(error)}); check the path and its permissions."
        ) from None
    except MemoryError:
        raise AudioError(f"{name}: too long for the memory; read it in segments.") from None


def read(stream: IO[bytes], name: str, offset: float, duration: float | None) -> Found:
    """The segment, or all: by libsndfile if the first bytes are of its formats; else, or if it fails, PyAV.

    Raises:
        AudioError: neither can read it; the sentence names the reason and the remedy.
    """
    head = _head(stream, name)
    try:
        if not _LIBSNDFILE.match(head):
            raise _Unsupported("format not recognised")
        with _sound_file(stream) as file:
            return _read_sound_file(file, stream, head, offset, duration)
    except (soundfile.SoundFileError, _Unsupported) as error:
        return _read_with_av(stream, name, offset, duration, _reason(error))


def stated_rate(stream: IO[bytes], name: str) -> int | None:
    """Hz, if libsndfile reads the format; opus has 48000 whatever it was made of."""
    if _LIBSNDFILE.match(_head(stream, name)):
        with contextlib.suppress(soundfile.SoundFileError), _sound_file(stream) as file:
            return int(file.samplerate)
    return None


def stated_seconds(stream: IO[bytes], name: str) -> float | None:
    """Seconds of audio without decoding it, if the format says."""
    if _LIBSNDFILE.match(_head(stream, name)):
        with contextlib.suppress(soundfile.SoundFileError), _sound_file(stream) as file:
            if file.samplerate > 0 and 0 < file.frames < _UNKNOWN_LENGTH:
                return float(file.frames / file.samplerate)
    return None


def _seekable(stream: IO[bytes], name: str) -> IO[bytes]:
    if not stream.seekable():
        return from_bytes(stream.read(), name)
    stream.seek(0)
    return stream


def _sound_file(stream: IO[bytes]) -> soundfile.SoundFile:
    stream.seek(0)
    # By descriptor a file is judged by its content alone; by name, any text called .au would become noise.
    if isinstance(stream, io.FileIO):
        return soundfile.SoundFile(stream.fileno(), closefd=False)
    return soundfile.SoundFile(stream)


def _read_sound_file(
    file: soundfile.SoundFile, stream: IO[bytes], head: bytes, offset: float, duration: float | None
) -> Found:
    rate = file.samplerate
    if rate <= 0 or file.frames >= _UNKNOWN_LENGTH:
        raise _Unsupported("its header states no length")
    start = min(round(offset * rate), file.frames)
    end = file.frames if duration is None else min(start + round(duration * rate), file.frames)
    if file.seekable():
        if start:
            file.seek(start)
        samples = _decode(file, end - start)
    else:
        samples = _decode(file, end)[start:]
    # libsndfile takes the length of an mp3 without a header from its first bit rate, and stops there.
    if file.format == "MP3" and end == file.frames and stream.tell() < 0.9 * stream.seek(0, os.SEEK_END):
        raise _Unsupported("an mp3 of variable bit rate that states no length")
    promised = _promised_seconds(file, head) - start / rate if duration is None else duration
    return Found(samples, rate, promised)


def _decode(file: soundfile.SoundFile, num_frames: int) -> NDArray[Any]:
    """So many frames from here, ``(num_frames, channels)``, or those before the end or the damage."""
    # 16-bit files stay integers until they are mixed: seven times faster than reading them as floats.
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    blocks: list[NDArray[Any]] = []
    while num_frames > 0:
        block = np.empty((min(num_frames, _BLOCK_SAMPLES // file.channels), file.channels), dtype)
        before = file.tell() if file.seekable() else 0
        try:
            read = file.read(out=block)
        except soundfile.SoundFileError:
            read = block[: max(0, file.tell() - before) if file.seekable() else 0]
            if not blocks and not len(read):
                raise
        blocks.append(read)
        num_frames = num_frames - len(read) if len(read) == len(block) else 0
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate([np.empty((0, file.channels), dtype), *blocks])


def _promised_seconds(file: soundfile.SoundFile, head: bytes) -> float:
    """What the header says; libsndfile counts only what is there, and tells the difference in its log."""
    frames = float(file.frames)
    if sphere := re.search(rb"sample_count -i (\d+)", head):
        frames = float(sphere[1])
    elif line := _STATED.search(file.extra_info):
        stated, there = float(line[1]), float(line[2])
        frames *= stated / there if there > 0 and stated < _STREAMED else 1
    elif _NO_END.search(file.extra_info):
        frames = math.inf
    return frames / float(file.samplerate)


def _read_with_av(stream: IO[bytes], name: str, offset: float, duration: float | None, why: str) -> Found:
    try:
        import av
    except ImportError:
        raise AudioError(
            f"{name}: libsndfile cannot read it ({why}); "
            "`pip install 'asr[av]'` adds m4a, aac, wma and video, or export it as wav or flac."
        ) from None
    stream.seek(0)
    try:
        with av.open(stream, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioError(f"{name}: holds no sound ({container.format.long_name}); remove it.")
            return _decode_with_av(av, container, offset, duration)
    except (av.FFmpegError, ValueError, ArithmeticError) as error:
        raise AudioError(
            f"{name}: damaged, or no audio ({why}; {_reason(error)}); export it again as wav or flac."
        ) from None


def _decode_with_av(av: Any, container: Any, offset: float, duration: float | None) -> Found:
    track = container.streams.audio[0]
    first = float((track.start_time or 0) * track.time_base)
    # Only these containers say where each packet belongs.
    timed = container.format.name.startswith(("mov", "matroska"))
    if timed and offset > 1:
        # A second early, so that the decoder has settled when the segment begins.
        container.seek(int((first + offset - 1) * 1_000_000))
    rate, position, blocks = track.rate, -1, []
    for frame in _frames(av, container, track):
        if position < 0:
            rate = frame.sample_rate
            start = round(offset * rate)
            end = sys.maxsize if duration is None else start + round(duration * rate)
            position = max(0, round((frame.time - first) * rate)) if timed and frame.time else 0
        block = frame.to_ndarray().reshape(-1, frame.samples).T if frame.format.is_planar else _packed(frame)
        blocks.append(block[max(0, start - position) : max(0, end - position)])
        position += frame.samples
        if position >= end:
            break
    stated = float(track.duration * track.time_base) - offset if timed and track.duration else 0.0
    samples = np.concatenate(blocks) if blocks else np.empty((0, 1), np.float32)
    return Found(samples, rate, stated if duration is None else duration)


def _packed(frame: Any) -> NDArray[Any]:
    samples: NDArray[Any] = frame.to_ndarray().reshape(frame.samples, -1)
    return samples


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


def _head(stream: IO[bytes], name: str) -> bytes:
    """The first 1024 bytes; the mistakes that happen most are refused here, each with its own remedy."""
    stream.seek(0)
    head = stream.read(1024)
    if not isinstance(head, bytes):
        raise AudioError(f"{name}: the stream was opened as text; open it with mode 'rb'.")
    if not head:
        raise AudioError(f"{name}: the file is empty; copy or record it again.")
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise AudioError(f"{name}: SPHERE compressed with shorten; expand it with `sph2pipe -f wav` first.")
    if head.startswith(b"NIST_1A") and len(head) < 1024:
        raise AudioError(f"{name}: cut short inside its header; copy it again.")
    if head.startswith(b"version https://git-lfs"):
        raise AudioError(f"{name}: a Git LFS pointer, not audio; run `git lfs pull`.")
    if not head.startswith(b"NIST_1A") and _is_text(head):
        raise AudioError(f"{name}: text, not audio, whatever its name says; replace it by the recording.")
    return head


def _is_text(head: bytes) -> bool:
    try:
        # The cut at 1024 bytes may split a character, hence the last three bytes are left out.
        text = head[: max(len(head) - 3, 1)].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def _reason(error: object) -> str:
    """The short cause out of a library's message, without the path that we name ourselves."""
    # FFmpeg's errors have it too, and only some of them are OSErrors.
    if cause := getattr(error, "strerror", None):
        return str(cause)
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".") or "unknown reason"
