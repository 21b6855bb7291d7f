"""What makes a small corpus larger: speed, level, noise on waveforms, masks on features (SpecAugment).

Every function takes its random generator, so that a seed decides everything. Never applied to dev or test.
"""

from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.errors import ConfigError

Waveform = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentSettings:
    """Off by default; ``conf/augment/`` has the usual choices."""

    speed_min: float = 1.0
    """Slowest playback; speech becomes lower and longer (Ko et al. 2015)."""
    speed_max: float = 1.0
    gain_min: float = 0.0
    """dB."""
    gain_max: float = 0.0
    noise_probability: float = 0.0
    """Share of the utterances that get noise."""
    snr_min: float = 10.0
    """dB of speech over noise."""
    snr_max: float = 40.0
    band_probability: float = 0.0
    """Share of the utterances that sound as through another microphone: a random gentle filter."""
    reverb_probability: float = 0.0
    """Share of the utterances that sound as in a room."""
    reverb_max: float = 0.5
    """Seconds in which the room's echo falls by 60 dB, at most."""
    time_masks: int = 0
    """SpecAugment (Park et al. 2019): stretches of frames set to zero."""
    time_mask_frames: int = 20
    """The longest stretch; never more than a fifth of the utterance each."""
    feature_masks: int = 0
    """Bands of features set to zero."""
    feature_mask_size: int = 8

    def __post_init__(self) -> None:
        if not 0.5 <= self.speed_min <= self.speed_max <= 2.0:
            raise ConfigError("augment: 0.5 <= speed_min <= speed_max <= 2 must hold.")
        if self.gain_min > self.gain_max or self.snr_min > self.snr_max:
            raise ConfigError("augment: gain_min <= gain_max and snr_min <= snr_max must hold.")
        if not all(0 <= share <= 1 for share in (self.noise_probability, self.band_probability)):
            raise ConfigError("augment: noise_probability and band_probability must lie in [0, 1].")
        if min(self.time_masks, self.time_mask_frames, self.feature_masks, self.feature_mask_size) < 0:
            raise ConfigError("augment: the masks' numbers and sizes must not be negative.")

    @property
    def changes_waveforms(self) -> bool:
        """Whether features must be computed anew in every epoch."""
        return (
            (self.speed_min, self.speed_max) != (1.0, 1.0)
            or (self.gain_min, self.gain_max) != (0.0, 0.0)
            or max(self.noise_probability, self.band_probability, self.reverb_probability) > 0
        )


def augment_waveform(
    waveform: Waveform, sample_rate: int, settings: AugmentSettings, rng: np.random.Generator
) -> Waveform:
    """One random variant of a waveform ``(num_samples,)``: speed, room, microphone, noise, level."""
    factor = rng.uniform(settings.speed_min, settings.speed_max)
    if factor != 1.0:
        waveform = change_speed(waveform, factor)
    if rng.random() < settings.reverb_probability:
        waveform = reverberate(waveform, sample_rate, rng.uniform(0.05, settings.reverb_max), rng)
    if rng.random() < settings.band_probability:
        waveform = color(waveform, sample_rate, rng)
    if rng.random() < settings.noise_probability:
        noise = colored_noise(len(waveform), rng)
        waveform = add_noise(waveform, noise, rng.uniform(settings.snr_min, settings.snr_max))
    return change_level(waveform, rng.uniform(settings.gain_min, settings.gain_max))


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


def add_noise(waveform: Waveform, noise: Waveform, snr: float) -> Waveform:
    """``noise`` mixed in at ``snr`` dB below the waveform's mean power; silence stays as it is."""
    speech_power = float(np.mean(waveform**2))
    noise_power = float(np.mean(noise**2))
    if speech_power == 0 or noise_power == 0:
        return waveform
    scale = np.sqrt(speech_power / noise_power / 10 ** (snr / 10))
    return waveform + noise * np.float32(scale)


def colored_noise(num_samples: int, rng: np.random.Generator) -> Waveform:
    """Noise whose power falls with frequency by a random power between 0 (white) and 2 (brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    frequency = np.arange(len(spectrum), dtype=float)
    frequency[0] = np.inf  # no DC
    shaped = np.fft.irfft(spectrum * frequency ** (-rng.uniform(0, 2) / 2), num_samples)
    return shaped.astype(np.float32)


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


def mask_features(features: Tensor, lengths: Tensor, settings: AugmentSettings) -> Tensor:
    """SpecAugment on ``(batch, time, feature)``: random stretches and bands become zero, the normalised mean.

    Drawn from torch's generator on the CPU, whatever the device, so that one seed gives one training.
    """
    masked = features.clone()
    for utterance, length in zip(masked, lengths.tolist(), strict=True):
        for _ in range(settings.time_masks):
            start, end = _span(length, min(settings.time_mask_frames, length // 5))
            utterance[start:end] = 0
        for _ in range(settings.feature_masks):
            start, end = _span(features.shape[2], settings.feature_mask_size)
            utterance[:, start:end] = 0
    return masked


def _span(size: int, longest: int) -> tuple[int, int]:
    width = int(torch.randint(0, longest + 1, ()))
    start = int(torch.randint(0, max(size - width, 0) + 1, ()))
    return start, start + width
