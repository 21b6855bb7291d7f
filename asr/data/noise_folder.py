"""Noise out of a folder of recordings."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr import audio
from asr.errors import ConfigError


class NoiseFolder:
    """A random stretch of a random recording; a short one is repeated. Read when wanted, not kept.

    Raises:
        ConfigError: there is no such folder, or no recording in it.
        AudioError: one of the recordings is no audio.
    """

    def __init__(self, folder: str | os.PathLike[str], sample_rate: int):
        if not Path(folder).is_dir():
            raise ConfigError(f"augment.noise_dir={folder}: no such folder; give one of recordings of noise.")
        self.paths = audio.find(folder)
        if not self.paths:
            raise ConfigError(f"augment.noise_dir={folder}: no recording in it; give a folder of noise.")
        self.sample_rate = sample_rate
        self._seconds = [audio.duration(path) for path in self.paths]

    def __call__(self, num_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """``(num_samples,)``."""
        place = int(rng.integers(len(self.paths)))
        seconds = min(num_samples / self.sample_rate, self._seconds[place])
        offset = rng.uniform(0, self._seconds[place] - seconds)
        sound = audio.load(self.paths[place], self.sample_rate, offset=offset, duration=seconds)
        return np.resize(sound, num_samples)
