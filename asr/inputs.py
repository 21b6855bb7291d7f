"""What an acoustic model takes of a manifest's line, for training and for recognition; without torch."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from asr import audio, feature_files
from asr.errors import AudioError
from asr.manifest import Utterance
from asr.wording import reason

Waveforms = Callable[[], Iterator[audio.Waveform]]
"""A recording too long to be heard at once: reads it anew, piece by piece."""


def load_input(utterance: Utterance, sample_rate: int, num_static: int) -> NDArray[np.float32]:
    """Its waveform ``(num_samples,)``, or its precomputed static features ``(num_frames, num_static)``.

    Raises:
        AudioError: the audio or the features cannot be read.
    """
    if utterance.features_filepath is not None:
        return feature_files.read(utterance.features_filepath, num_static)
    length = utterance.duration if utterance.offset is not None else None
    return audio.load(recording(utterance), sample_rate, offset=utterance.start, duration=length)


def open_input(
    utterance: Utterance, sample_rate: int, num_static: int, longest: float
) -> NDArray[np.float32] | Waveforms:
    """The same, but where it is longer than ``longest`` seconds how to read its audio piece by piece.

    Raises:
        AudioError: the audio or the features cannot be read.
    """
    if utterance.features_filepath is not None:
        return load_input(utterance, sample_rate, num_static)
    length = utterance.duration if utterance.offset is not None else None
    return open_recording(recording(utterance), sample_rate, longest, utterance.start, length)


def open_recording(
    source: audio.Source, sample_rate: int, longest: float, offset: float, duration: float | None
) -> audio.Waveform | Waveforms:
    """The waveform of a path or file object, or of its segment; if it is long, how to read it piece by piece.

    Raises:
        AudioError: it is no recording, or cannot be read.
    """
    if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
        kind = type(source).__name__
        raise AudioError(f"A {kind} is no recording; give a path, a file object or a numpy array.")
    source = audio.rewindable(source)
    read = partial(audio.stream, source, sample_rate, longest, offset=offset, duration=duration)
    first, *others = islice(read(), 2)
    return read if others else first


def recording(utterance: Utterance) -> audio.Source:
    """What its audio is read from: its file, or its bytes out of a tar file.

    Raises:
        AudioError: the tar file cannot be read, or ends before.
    """
    assert utterance.audio_filepath is not None  # the manifest has it, or features
    if utterance.member is None:
        return utterance.audio_filepath
    _, offset, size = utterance.member
    try:
        with open(utterance.audio_filepath, "rb") as file:
            if os.fstat(file.fileno()).st_size < offset + size:
                raise AudioError(f"{utterance.name}: the tar file ends before it; copy it again.")
            file.seek(offset)
            data = file.read(size)
    except (OSError, ValueError) as error:
        raise AudioError(f"{utterance.name}: cannot be read ({reason(error)}); check the path.") from None
    return audio.from_bytes(data, utterance.name)
