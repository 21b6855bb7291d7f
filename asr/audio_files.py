"""The bytes of a recording to its samples, at its own rate and with its own channels.

soundfile reads wav, flac, ogg (vorbis and opus), mp3 and NIST SPHERE from its wheel alone; PyAV, when it is
installed, reads m4a, aac, wma and video, and what soundfile fails on.
"""

import contextlib
import io
import itertools
import math
import os
import re
import select
import stat
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr import av_files
from asr.errors import AudioError
from asr.wording import reason

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
_PATIENCE = 5.0
"""Seconds that a named pipe may stay without anybody who writes into it."""
_BLOCK_SAMPLES = 1 << 22
"""Decoded at a time: a header that lies about its length must not reserve the memory for it."""


class Decoding(NamedTuple):
    """A recording, or one segment of it, on its way out of its file."""

    blocks: Iterator[NDArray[Any]]
    """``(num_samples, channels)``, integers or floats, as they are in the file; it must stay open until they end."""
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
            with open(source, "rb", buffering=0, opener=_open_at_once) as file:
                yield _from_path(file, name)
        else:
            yield _seekable(source, name)
    except IsADirectoryError as error:
        raise AudioError(
            f"{name}: no recording, but a folder ({reason(error)}); name a recording, "
            "or let `asr transcribe -r` look into the folders in it."
        ) from None
    except (OSError, EOFError, ValueError) as error:
        raise AudioError(
            f"{name}: cannot be read ({reason(error)}); check the path and its permissions."
        ) from None
    except MemoryError:
        raise AudioError(f"{name}: too long for the memory; read it in segments.") from None


def decode(stream: IO[bytes], name: str, offset: float, duration: float | None) -> Decoding:
    """The segment, or all: by libsndfile if the first bytes are of its formats; else, or if it fails, PyAV.

    Raises:
        AudioError: neither can read it; the sentence names the reason and the remedy. The blocks may raise it too.
    """
    head = _head(stream, name)
    try:
        if not _LIBSNDFILE.match(head):
            raise _Unsupported("format not recognised")
        return _decode_sound_file(stream, name, head, offset, duration)
    except (soundfile.SoundFileError, _Unsupported) as error:
        return Decoding(*av_files.decode(stream, name, offset, duration, reason(error)))


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


def rewindable(source: Source) -> Source:
    """A source that may be read more than once: what cannot go back is kept in memory."""
    if isinstance(source, (str, os.PathLike)) or source.seekable():
        return source
    return from_bytes(source.read(), name_of(source))


def _open_at_once(path: str, flags: int) -> int:
    """A descriptor; a named pipe would else be waited for until somebody writes, for ever if nobody does."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _from_path(file: io.FileIO, name: str) -> IO[bytes]:
    kind = os.fstat(file.fileno()).st_mode
    if stat.S_ISCHR(kind):
        raise AudioError(f"{name}: a device, not a recording; give - and pipe its sound in.")
    return _from_pipe(file, name) if stat.S_ISFIFO(kind) else _seekable(cast(IO[bytes], file), name)


def _from_pipe(file: io.FileIO, name: str) -> IO[bytes]:
    """All that is written into it, however slowly, if there is somebody who writes."""
    is_ready, _, _ = select.select([file], [], [], _PATIENCE)
    first = file.read(1)  # None: nothing yet; no bytes: nobody writes
    if first == b"" and not is_ready:
        raise AudioError(f"{name}: a pipe that nobody writes into; start what writes, or remove it.")
    os.set_blocking(file.fileno(), True)
    return from_bytes((first or b"") + file.readall(), name)


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


def _decode_sound_file(
    stream: IO[bytes], name: str, head: bytes, offset: float, duration: float | None
) -> Decoding:
    file = _sound_file(stream)
    rate = file.samplerate
    if rate <= 0 or file.frames >= _UNKNOWN_LENGTH:
        raise _Unsupported("its header states no length")
    start = min(round(offset * rate), file.frames)
    end = file.frames if duration is None else min(start + round(duration * rate), file.frames)
    promised = _promised_seconds(file, head) - start / rate if duration is None else duration
    blocks = _sound_file_blocks(file, stream, start, end)
    first = list(itertools.islice(blocks, 1))  # what libsndfile cannot read at all fails here

    def all_blocks() -> Iterator[NDArray[Any]]:
        num_frames = 0
        try:
            for block in itertools.chain(first, blocks):
                num_frames += len(block)
                yield block
        except _Unsupported as error:
            seconds = num_frames / rate
            rest = None if duration is None else duration - seconds
            yield from av_files.decode(stream, name, offset + seconds, rest, reason(error))[0]

    return Decoding(all_blocks(), rate, promised)


def _sound_file_blocks(
    file: soundfile.SoundFile, stream: IO[bytes], start: int, end: int
) -> Iterator[NDArray[Any]]:
    """The frames from ``start`` to ``end``, or those before the end or the damage."""
    with file:
        if file.seekable():
            if start:
                file.seek(start)
            yield from _decoded(file, end - start)
        else:
            yield from _without_first(_decoded(file, end), start)
        # libsndfile takes the length of an mp3 without a header from its first bit rate, and stops there.
        if file.format == "MP3" and end == file.frames and stream.tell() < 0.9 * stream.seek(0, os.SEEK_END):
            raise _Unsupported("an mp3 of variable bit rate that states no length")


def _without_first(blocks: Iterator[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
    for block in blocks:
        yield block[count:]
        count = max(0, count - len(block))


def _decoded(file: soundfile.SoundFile, num_frames: int) -> Iterator[NDArray[Any]]:
    # 16-bit files stay integers until they are mixed: seven times faster than reading them as floats.
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    is_first = True
    while num_frames > 0:
        block = np.empty((min(num_frames, _BLOCK_SAMPLES // file.channels), file.channels), dtype)
        before = file.tell() if file.seekable() else 0
        try:
            read = file.read(out=block)
        except soundfile.SoundFileError:
            read = block[: max(0, file.tell() - before) if file.seekable() else 0]
            if is_first and not len(read):
                raise
        yield read
        is_first = False
        num_frames = num_frames - len(read) if len(read) == len(block) else 0


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
