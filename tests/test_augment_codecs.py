"""Telephones and files take away what they take away in the world, and move nothing in time."""

import numpy as np
import pytest
import soundfile
from toys import utter

from asr.augment import AugmentSettings, augment_waveform
from asr.augment.codecs import gsm, mp3, mu_law, telephone_band
from asr.config import compose

STATIONS = {
    "telephone": telephone_band,
    "mulaw": mu_law,
    "gsm": gsm,
    "mp3": lambda waveform, rate: mp3(waveform, rate, np.random.default_rng(1)),
}


def sweep(rate: int, seconds: float = 2.0) -> np.ndarray:
    """From 100 Hz up to the end of the spectrum; read-only, so that what changes it in place fails."""
    time = np.arange(round(rate * seconds)) / rate
    phase = 2 * np.pi * (100 * time + (rate / 2 - 100) / seconds * time**2 / 2)
    samples = (0.5 * np.sin(phase)).astype(np.float32)
    samples.setflags(write=False)
    return samples


def bursts(rate: int, num_samples: int) -> np.ndarray:
    """Noise of 300 to 3000 Hz that comes and goes, so that any delay shows."""
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    frequency = np.fft.rfftfreq(num_samples, 1 / rate)
    spectrum[(frequency < 300) | (frequency > 3000)] = 0
    noise = np.fft.irfft(spectrum, num_samples) * np.sin(np.arange(num_samples) / rate * 12) ** 2
    return (0.4 * noise / np.abs(noise).max()).astype(np.float32)


def delay(sent: np.ndarray, received: np.ndarray) -> int:
    """Samples by which ``received`` lies behind ``sent``, where their correlation is highest."""
    size = 2 * len(sent)
    correlation = np.fft.irfft(np.fft.rfft(received, size) * np.conj(np.fft.rfft(sent, size)), size)
    lag = int(correlation.argmax())
    return lag if lag < len(sent) else lag - size


def share_above(waveform: np.ndarray, rate: int, hertz: float) -> float:
    power = np.abs(np.fft.rfft(waveform)) ** 2
    return float(power[np.fft.rfftfreq(len(waveform), 1 / rate) > hertz].sum() / power.sum())


@pytest.mark.parametrize("rate", [8000, 11000, 16000, 44100, 50000])
@pytest.mark.parametrize("name", STATIONS)
def test_sound_comes_through_where_it_was_and_as_long(name, rate):
    for seconds in (1.0, 1.37):
        sent = bursts(rate, round(seconds * rate))
        received = STATIONS[name](sent, rate)
        assert received.shape == sent.shape
        assert received.dtype == np.float32
        assert abs(delay(sent, received)) <= rate // 8000
        assert not np.array_equal(sent, received)
        assert np.corrcoef(sent, received)[0, 1] > 0.6


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000])
def test_an_mp3_of_any_bit_rate_is_not_late(rate):
    sent = bursts(rate, 20000)
    for seed in range(6):
        assert delay(sent, mp3(sent, rate, np.random.default_rng(seed))) == 0


@pytest.mark.parametrize("level", [0.6, 0.99])
def test_encoders_with_and_without_a_note_of_their_delay_are_understood(level, tmp_path):
    # What asr.augment.codecs relies on: the delay is 1105 samples where the decoder does not cut it off.
    sent = bursts(16000, 20000)
    soundfile.write(tmp_path / "a.mp3", sent, 16000, compression_level=level, bitrate_mode="CONSTANT")
    heard, _ = soundfile.read(tmp_path / "a.mp3", dtype="float32")
    late = 1105 if len(heard) > len(sent) else 0
    assert delay(sent, heard[: len(sent)]) == late
    assert (late > 0) == (level == 0.99)


@pytest.mark.parametrize("name", STATIONS)
@pytest.mark.parametrize("num_samples", [1, 2, 79, 640])
def test_a_click_stays_a_click(name, num_samples):
    received = STATIONS[name](np.full(num_samples, 0.3, np.float32), 16000)
    assert received.shape == (num_samples,)
    assert np.isfinite(received).all()
    silence = STATIONS[name](np.zeros(num_samples, np.float32), 16000)
    assert np.abs(silence).max() < 0.01, "GSM hisses a little"


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_telephone_leaves_300_to_3400_hz(rate):
    sent = sweep(rate)
    gain = np.abs(np.fft.rfft(telephone_band(sent, rate))) / np.abs(np.fft.rfft(sent))
    decibels, frequency = 20 * np.log10(gain), np.fft.rfftfreq(len(sent), 1 / rate)
    inside = (frequency > 300) & (frequency < 3400)
    assert np.abs(decibels[inside]).max() < 0.1
    assert decibels[(frequency < 100) | (frequency > 4000)].max(initial=-40) < -36


@pytest.mark.parametrize("name", ["mulaw", "gsm"])
def test_a_line_of_8_khz_lets_nothing_above_4_khz_through(name):
    white = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32)
    assert share_above(white, 16000, 4000) == pytest.approx(0.5, abs=0.05)
    assert share_above(STATIONS[name](white, 16000), 16000, 4000) < 0.01


def test_mu_law_is_the_logarithm_of_g711():
    # About as far below the signal whatever the level; 8 linear bits would lose 26 dB from the first to the last.
    for level in (1.0, 0.25, 0.05):
        sent = level * bursts(8000, 16000)
        error = mu_law(sent, 8000) - sent
        assert 30 < 10 * np.log10(np.mean(sent**2) / np.mean(error**2)) < 42


def test_a_station_that_is_on_is_in_the_variant_and_a_seed_decides_it():
    speech = utter("ab cd bad", 1)
    for name in STATIONS:
        asked = AugmentSettings(**{f"{name}_probability": 1.0})
        variants = [augment_waveform(speech, 8000, asked, np.random.default_rng(seed)) for seed in (1, 1, 2)]
        np.testing.assert_array_equal(variants[0], variants[1])
        assert not np.array_equal(variants[0], speech)
        assert np.array_equal(variants[0], variants[2]) == (name != "mp3"), "only mp3 has a random rate"


def test_the_share_of_the_utterances_is_the_one_asked_for():
    speech = utter("ab", 1)
    asked, rng = AugmentSettings(mulaw_probability=0.3), np.random.default_rng(4)
    changed = [not np.array_equal(augment_waveform(speech, 8000, asked, rng), speech) for _ in range(300)]
    assert sum(changed) / 300 == pytest.approx(0.3, abs=0.08)


def test_the_telephone_preset_is_full_with_lines():
    full, telephone = (compose([f"augment={name}"]).augment for name in ("full", "telephone"))
    assert (telephone.speed_min, telephone.time_masks) == (full.speed_min, full.time_masks)
    white, rng = np.random.default_rng(1).normal(0, 0.1, 8000).astype(np.float32), np.random.default_rng(5)
    high = [share_above(augment_waveform(white, 8000, telephone, rng), 8000, 3700) for _ in range(40)]
    low = [share_above(augment_waveform(white, 8000, full, rng), 8000, 3700) for _ in range(40)]
    assert np.median(high) < np.median(low) / 3
