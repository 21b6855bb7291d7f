"""Sound from a pipe as it comes: raw samples, or a wav whose end nobody has written yet."""

import struct
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import AudioError

_BLOCK_BYTES = 8192
"""At most as many at a time: a quarter of a second of telephone-rate sound beside the tenth that is usual."""
_ENCODINGS = {(1, 8): "u1", (1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}
"""wav's format tag (1 integers, 3 floats) and bits a sample, to numpy's name."""
_EXTENSIBLE = 0xFFFE
_LONGEST_HEADER = 1 << 20


def raw_samples(file: IO[bytes], channels: int = 1, encoding: str = "<i2") -> Iterator[NDArray[Any]]:
    """``(num_samples, channels)`` of what a pipe gives, as soon as it gives it; an unfinished last sample is left."""
    width = np.dtype(encoding).itemsize * channels
    read = getattr(file, "read1", file.read)  # what is there, where read would wait for more
    rest = b""
    while data := read(_BLOCK_BYTES):
        data = rest + data
        end = len(data) // width * width
        rest = data[end:]
        if end:
            yield np.frombuffer(data[:end], encoding).reshape(-1, channels)


def wav_samples(file: IO[bytes], name: str) -> tuple[int, Iterator[NDArray[Any]]]:
    """The sample rate of a wav that is still being written, and its samples as ``raw_samples`` gives them.

    The lengths in its header are not believed: programs that write to a pipe do not know them.

    Raises:
        AudioError: it is no wav, or one of samples that are neither integers nor floats.
    """
    form = _exactly(file, 12, name)
    if form[:4] != b"RIFF" or form[8:] != b"WAVE":
        raise AudioError(
            f"{name}: a stream is read as wav, and this is none; leave out --stream to hear it at its end, "
            "or give --raw and --rate for bare samples."
        )
    layout = b""
    while (head := _exactly(file, 8, name))[:4] != b"data":
        length = int(struct.unpack("<I", head[4:])[0])
        if length > _LONGEST_HEADER:
            raise AudioError(f"{name}: the header of this wav is damaged; write it again.")
        body = _exactly(file, length + length % 2, name)
        layout = body if head[:4] == b"fmt " else layout
    if len(layout) < 16:
        raise AudioError(f"{name}: this wav does not say what its samples are; write it again.")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", layout[:16])
    if tag == _EXTENSIBLE and len(layout) >= 26:
        tag = struct.unpack("<H", layout[24:26])[0]
    if (tag, bits) not in _ENCODINGS or not channels:
        raise AudioError(f"{name}: a stream of this kind of wav cannot be read; write 16-bit samples.")
    return rate, raw_samples(file, channels, _ENCODINGS[tag, bits])


def _exactly(file: IO[bytes], count: int, name: str) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise nothing_came(name)
    return data


def nothing_came(name: str) -> AudioError:
    """What to raise where a pipe held no sound."""
    return AudioError(f"{name}: the stream ends before its sound begins; check the program that writes it.")
