"""How far speech stands above the noise of its recording, guessed from loud and quiet moments."""

import math

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.inputs import load_input
from asr.manifest import Utterance

RATE = 8000
"""Hz."""
_FRAME = 160
"""Samples: 20 ms."""
_QUIET, _LOUD = 10.0, 90.0
"""Percentiles of a frame's power that stand for noise alone and for speech with noise."""
MOST = 60.0
"""dB; digital silence would be infinitely far below."""


def estimate_snr(utterance: Utterance) -> float | None:
    """dB, from 0 to ``MOST``; None where there is no audio. Speech without a pause is thought noisier than it is."""
    if utterance.audio_filepath is None:
        return None
    try:
        samples = load_input(utterance, RATE, 0)
    except AsrError:
        return None
    return snr(samples)


def snr(samples: NDArray[np.float32]) -> float | None:
    """The same of a waveform ``(num_samples,)`` at ``RATE``; None where it is shorter than a frame."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return None
    noise, speech = np.percentile(np.square(frames, dtype=np.float64).mean(axis=1), [_QUIET, _LOUD])
    if speech <= noise:
        return 0.0
    return min(MOST, max(0.0, 10 * math.log10((speech - noise) / max(noise, 1e-12))))
