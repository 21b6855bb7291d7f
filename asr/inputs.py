"""What an acoustic model takes of a manifest's line, for training and for recognition; without torch."""

import numpy as np
from numpy.typing import NDArray

from asr import audio, feature_files
from asr.errors import AudioError
from asr.manifest import Utterance


def load_input(utterance: Utterance, sample_rate: int, num_static: int) -> NDArray[np.float32]:
    """Its waveform ``(num_samples,)``, or its precomputed static features ``(num_frames, num_static)``.

    Raises:
        AudioError: the audio or the features cannot be read.
    """
    if utterance.features_filepath is not None:
        return feature_files.read(utterance.features_filepath, num_static)
    length = utterance.duration if utterance.offset is not None else None
    return audio.load(recording(utterance), sample_rate, offset=utterance.start, duration=length)


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
            file.seek(offset)
            data = file.read(size)
    except OSError as error:
        raise AudioError(f"{utterance.name}: cannot be read ({error.strerror}); check the path.") from None
    if len(data) < size:
        raise AudioError(f"{utterance.name}: the tar file ends before it; copy it again.")
    return audio.from_bytes(data, utterance.name)
