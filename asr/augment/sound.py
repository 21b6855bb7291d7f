"""Speed, level, room and microphone: what changes a voice before anything is added to it."""

import numpy as np
import soxr
from numpy.typing import NDArray

Waveform = NDArray[np.float32]


def change_speed(waveform: Waveform, factor: float) -> Waveform:
    """Played ``factor`` times as fast: shorter and higher above 1, longer and lower below."""
    changed: Waveform = soxr.resample(waveform, factor, 1.0)
    # So short that the filter swallows it: it stays as it is.
    return changed if len(changed) else waveform


def change_level(waveform: Waveform, decibels: float) -> Waveform:
    """Louder or softer; what exceeds full scale clips, as it would in a recorder."""
    if decibels == 0.0:
        return waveform
    changed: Waveform = np.clip(waveform * np.float32(10 ** (decibels / 20)), -1, 1)
    return changed


def reverberate(
    waveform: Waveform, sample_rate: int, decay_seconds: float, rng: np.random.Generator
) -> Waveform:
    """A room: noise that decays by 60 dB in ``decay_seconds`` behind the direct sound (Polack 1988); same length."""
    time = np.arange(1, round(decay_seconds * sample_rate) + 1) / sample_rate
    echo = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay_seconds)
    # Direct sound over echo, in energy: from across the room to near the microphone.
    echo *= 10 ** (-rng.uniform(0, 15) / 20) / np.sqrt(np.sum(echo**2))
    size = len(waveform) + len(echo)
    response = np.fft.rfft(np.concatenate([[1.0], echo]), size)
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * response, size)[: len(waveform)]
    return wet.astype(np.float32)


def color(waveform: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Another microphone: a smooth random response within ±8 dB, at times the telephone's 300-3400 Hz."""
    spectrum = np.fft.rfft(waveform)
    frequency = np.fft.rfftfreq(len(waveform), 1 / sample_rate)
    points = np.linspace(0, sample_rate / 2, 8)
    decibels = np.interp(frequency, points, rng.uniform(-8, 8, len(points)))
    if rng.random() < 0.3:
        decibels[(frequency < 300) | (frequency > 3400)] -= 30
    filtered = np.fft.irfft(spectrum * 10 ** (decibels / 20), len(waveform))
    return filtered.astype(np.float32)
