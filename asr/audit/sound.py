"""What is wrong with a recording whatever its text says: clipped, or loud with noise."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asr import audio
from asr.errors import AsrError
from asr.evaluation.snr import RATE, snr
from asr.inputs import load_input, recording
from asr.manifest import Utterance

FULL_SCALE = 0.99
"""Of the largest sample that there can be."""
CLIPPED = 0.001
"""Share of samples at full scale: loud speech touches it now and then, clipped speech stays there."""
NOISY = 10.0
"""dB."""
_RATE = 16000
"""Hz, of what does not state its own."""


@dataclass(frozen=True)
class Sound:
    """Of one recording."""

    clipped: float
    """Share of samples at full scale."""
    snr: float | None
    """dB, guessed; None where there is no telling."""

    def remarks(self) -> Iterator[str]:
        """What is out of the ordinary."""
        if self.clipped > CLIPPED:
            yield f"clipped ({100 * self.clipped:.1f} % of the samples at full scale)"
        if self.snr is not None and self.snr < NOISY:
            yield f"noisy (about {self.snr:.0f} dB)"


def measure_sound(utterance: Utterance) -> Sound | None:
    """None of what is no audio, or cannot be read."""
    if utterance.features_filepath is not None:
        return None
    try:
        rate = audio.sample_rate(recording(utterance)) or _RATE
        samples = load_input(utterance, rate, 0)
    except AsrError:
        return None
    clipped = float(np.mean(abs(samples) >= FULL_SCALE)) if len(samples) else 0.0
    return Sound(clipped, snr(audio.resample(samples, rate, RATE)))
