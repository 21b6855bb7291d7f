"""What else is heard: generated noise, and voices behind the voice."""

from collections.abc import Callable, Sequence

import numpy as np

from asr.augment.sound import Waveform, fast_length

NoiseSource = Callable[[int, np.random.Generator], Waveform]
"""So many samples of a random noise, at any level."""


def add_noise(waveform: Waveform, noise: Waveform, snr: float) -> Waveform:
    """``noise`` mixed in at ``snr`` dB below the waveform's mean power; silence stays as it is."""
    speech_power = float(np.mean(waveform**2))
    noise_power = float(np.mean(noise**2))
    if speech_power == 0 or noise_power == 0:
        return waveform
    scale = np.sqrt(speech_power / noise_power / 10 ** (snr / 10))
    return waveform + noise * np.float32(scale)


def alone(noise: Waveform, level: float) -> Waveform:
    """Noise at ``level`` dB of full scale, with nobody in it; silence stays as it is."""
    power = float(np.mean(noise**2))
    return noise if power == 0 else noise * np.float32(10 ** (level / 20) / np.sqrt(power))


def colored_noise(num_samples: int, rng: np.random.Generator) -> Waveform:
    """Noise whose power falls with frequency by a random power between 0 (white) and 2 (brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(fast_length(num_samples)))
    frequency = np.arange(len(spectrum), dtype=float)
    frequency[0] = np.inf  # no DC
    shaped = np.fft.irfft(spectrum * frequency ** (-rng.uniform(0, 2) / 2))
    return shaped[:num_samples].astype(np.float32)


def silence(num_samples: int, rng: np.random.Generator) -> Waveform:
    """The noise of those who have none."""
    return np.zeros(num_samples, np.float32)


def babble(voices: Sequence[Waveform], num_samples: int, rng: np.random.Generator) -> Waveform:
    """Voices at once, each as loud as the others, from a random place on and round again; silence of none."""
    mixed = silence(num_samples, rng)
    for voice in voices:
        turned = np.roll(voice, -rng.integers(len(voice)))
        level = np.sqrt(np.mean(voice**2))
        if level > 0:
            mixed += np.resize(turned, num_samples) / level
    return mixed
