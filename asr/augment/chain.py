"""The way of a sound from the mouth to the file, each station with its share of the utterances."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from asr.augment.codecs import gsm, mp3, mu_law, telephone_band
from asr.augment.noise import NoiseSource, add_noise, colored_noise, silence
from asr.augment.sound import Waveform, change_level, change_speed, change_tempo, color, reverberate
from asr.augment_settings import AugmentSettings


def augment_waveform(
    waveform: Waveform,
    sample_rate: int,
    settings: AugmentSettings,
    rng: np.random.Generator,
    *,
    noise: NoiseSource = colored_noise,
    babble: NoiseSource = silence,
) -> Waveform:
    """One random variant of ``(num_samples,)``: speed, room, microphone, noise, level, then line and file."""
    factor = rng.uniform(settings.speed_min, settings.speed_max)
    if factor != 1.0:
        waveform = change_speed(waveform, factor)
    if rng.random() < settings.reverb_probability:
        waveform = reverberate(waveform, sample_rate, rng.uniform(0.05, settings.reverb_max), rng)
    if rng.random() < settings.band_probability:
        waveform = color(waveform, sample_rate, rng)
    if rng.random() < settings.noise_probability:
        waveform = _with(noise, waveform, settings, rng)
    if _happens(settings.babble_probability, rng):
        waveform = _with(babble, waveform, settings, rng)
    waveform = change_level(waveform, rng.uniform(settings.gain_min, settings.gain_max))
    return _transmit(waveform, sample_rate, settings, rng)


def augment_features(
    static: NDArray[np.float32],
    settings: AugmentSettings,
    rng: np.random.Generator,
    speed_matrix: Callable[[float], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """One random variant of stored ``(num_frames, num_static)``: of all stations they allow only speed.

    ``speed_matrix`` is that of their front end.
    """
    factor = rng.uniform(settings.speed_min, settings.speed_max)
    return static if factor == 1.0 else change_tempo(static, factor) @ speed_matrix(factor)


def _transmit(
    waveform: Waveform, sample_rate: int, settings: AugmentSettings, rng: np.random.Generator
) -> Waveform:
    """The stations after the microphone; as many samples as before."""
    stations = (
        (settings.telephone_probability, telephone_band),
        (settings.mulaw_probability, mu_law),
        (settings.gsm_probability, gsm),
        (settings.mp3_probability, partial(mp3, rng=rng)),
    )
    for share, station in stations:
        if _happens(share, rng):
            waveform = station(waveform, sample_rate)
    return waveform


def _with(
    source: NoiseSource, waveform: Waveform, settings: AugmentSettings, rng: np.random.Generator
) -> Waveform:
    sound = source(len(waveform), rng)
    return add_noise(waveform, sound, rng.uniform(settings.snr_min, settings.snr_max))


def _happens(share: float, rng: np.random.Generator) -> bool:
    # What is off draws nothing: a station that a later version adds changes no variant of older settings.
    return share > 0 and rng.random() < share
