"""What an acoustic model takes of a manifest's line, for training and for recognition; without torch."""

import numpy as np
from numpy.typing import NDArray

from asr import audio, feature_files
from asr.manifest import Utterance


def load_input(utterance: Utterance, sample_rate: int, num_static: int) -> NDArray[np.float32]:
    """Its waveform ``(num_samples,)``, or its precomputed static features ``(num_frames, num_static)``.

    Raises:
        AudioError: the audio or the features cannot be read.
    """
    if utterance.features_filepath is not None:
        return feature_files.read(utterance.features_filepath, num_static)
    assert utterance.audio_filepath is not None  # the manifest has one of the two
    length = utterance.duration if utterance.offset is not None else None
    return audio.load(utterance.audio_filepath, sample_rate, offset=utterance.start, duration=length)
