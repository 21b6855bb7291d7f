"""Speed, level, room and microphone: what changes a voice before anything is added to it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

Waveform = NDArray[np.float32]


def change_speed(waveform: Waveform, factor: float) -> Waveform:
    """Played ``factor`` times as fast: shorter and higher above 1, longer and lower below."""
    changed: Waveform = soxr.resample(waveform, factor, 1.0)
    # So short that the filter swallows it: it stays as it is.
    return changed if len(changed) else waveform


def change_tempo(frames: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """``(num_frames, num_features)`` of speech ``factor`` times as fast, at the same pitch."""
    num_frames = max(round(len(frames) / factor), 1)
    places = np.linspace(0, len(frames) - 1, num_frames, dtype=np.float32)[:, None]
    before = np.minimum(places.astype(int), max(len(frames) - 2, 0))[:, 0]
    after = np.minimum(before + 1, len(frames) - 1)
    share = places - before[:, None]
    changed: NDArray[np.float32] = (1 - share) * frames[before] + share * frames[after]
    return changed.astype(np.float32)


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
    size = fast_length(len(waveform) + len(echo))
    response = np.fft.rfft(np.concatenate([[1.0], echo]), size)
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * response, size)[: len(waveform)]
    return wet.astype(np.float32)


def color(waveform: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Another microphone: a smooth random response within ±8 dB, at times the telephone's 300-3400 Hz."""
    points = np.linspace(0, sample_rate / 2, 8)
    levels = rng.uniform(-8, 8, len(points))
    narrow = rng.random() < 0.3

    def response(frequency: NDArray[np.floating]) -> Any:
        outside = narrow & ((frequency < 300) | (frequency > 3400))
        return np.interp(frequency, points, levels) - 30 * outside

    return equalize(waveform, sample_rate, response)


def equalize(waveform: Waveform, sample_rate: int, response: Callable[[Any], Any]) -> Waveform:
    """Each frequency louder by the decibels that ``response`` has for it; nothing is delayed."""
    size = fast_length(len(waveform))
    decibels = response(np.fft.rfftfreq(size, 1 / sample_rate))
    changed: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(waveform, size) * 10 ** (decibels / 20), size)
    return changed[: len(waveform)].astype(np.float32)


def fast_length(num_samples: int) -> int:
    """A quick Fourier transform's next length, an eighth longer at most: that of a prime takes 15 times as long."""
    step = 1 << max(num_samples.bit_length() - 4, 0)
    return -(-num_samples // step) * step
