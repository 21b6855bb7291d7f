"""Every augmentation does what it is asked, in the measure it is asked, and a seed decides all of it."""

import dataclasses

import numpy as np
import pytest
import torch

from asr.augment import AugmentSettings, augment_waveform, colored_noise, mask_features
from asr.augment.noise import add_noise, babble
from asr.augment.sound import change_level, change_speed, color, reverberate
from asr.config import compose
from asr.errors import ConfigError

RATE = 16000
FULL = AugmentSettings(
    speed_min=0.9,
    speed_max=1.1,
    gain_min=-15,
    gain_max=6,
    noise_probability=0.5,
    snr_min=5,
    snr_max=40,
    band_probability=0.5,
)


def tone(pitch: float = 440.0, seconds: float = 1.0) -> np.ndarray:
    """Read-only, so that what changes it in place fails."""
    samples = 0.25 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)
    samples = samples.astype(np.float32)
    samples.setflags(write=False)
    return samples


def pitch_of(waveform: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(waveform)).argmax() * RATE / len(waveform))


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_speed_changes_duration_and_pitch_as_asked(factor):
    changed = change_speed(tone(), factor)
    assert changed.dtype == np.float32
    assert len(changed) == pytest.approx(RATE / factor, abs=1)
    assert pitch_of(changed) == pytest.approx(440 * factor, rel=0.01)


def test_a_waveform_too_short_to_resample_does_not_vanish():
    assert len(change_speed(tone()[:1], 2.0)) == 1


@pytest.mark.parametrize("decibels", [-20.0, -6.0, 3.0])
def test_level_changes_as_asked(decibels):
    change = 20 * np.log10(np.abs(change_level(tone(), decibels)).max() / 0.25)
    assert change == pytest.approx(decibels, abs=0.01)


def test_what_exceeds_full_scale_clips():
    assert np.abs(change_level(tone(), 40)).max() == 1.0


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0, 40.0])
def test_noise_lies_as_far_below_the_speech_as_asked(snr):
    speech = tone()
    noise = colored_noise(len(speech), np.random.default_rng(1))
    added = (add_noise(speech, noise, snr) - speech).astype(float)
    measured = 10 * np.log10(np.mean(speech.astype(float) ** 2) / np.mean(added**2))
    assert measured == pytest.approx(snr, abs=0.1)


def test_silence_gets_no_noise_and_no_infinity():
    silence = np.zeros(100, np.float32)
    assert not add_noise(silence, tone()[:100], 10).any()
    np.testing.assert_array_equal(add_noise(tone()[:100], silence, 10), tone()[:100])


def test_noise_is_between_white_and_brown():
    slopes = []
    for seed in range(20):
        power = np.abs(np.fft.rfft(colored_noise(RATE, np.random.default_rng(seed)))) ** 2
        low, high = power[100:200].mean(), power[4000:8000].mean()
        # Between 150 and 6000 Hz brown noise falls by 32 dB.
        slopes.append(10 * np.log10(low / high))
    assert min(slopes) > -2
    assert max(slopes) < 35
    assert max(slopes) - min(slopes) > 15


def test_babble_is_every_voice_as_loud_as_the_others():
    pitches, levels = (300.0, 700.0, 1100.0), (0.01, 1.0, 0.2)
    voices = [level * tone(pitch) for pitch, level in zip(pitches, levels, strict=True)]
    mixed = babble(voices, 3 * RATE, np.random.default_rng(1))
    assert mixed.shape == (3 * RATE,)
    assert mixed.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(mixed)) / len(mixed)
    heard = [spectrum[3 * round(pitch)] for pitch in pitches]
    assert heard == pytest.approx([2**-0.5] * 3, rel=0.01)


def test_babble_starts_anywhere_and_survives_silence():
    voices = [tone(300.0), np.zeros(100, np.float32)]
    first, other = (babble(voices, RATE, np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(first, other)
    assert not babble([], 50, np.random.default_rng(1)).any()


@pytest.mark.parametrize("source", ["noise", "babble"])
def test_noise_and_babble_come_from_where_they_are_asked_for_at_their_snr(source):
    asked = AugmentSettings(**{f"{source}_probability": 1.0, "snr_min": 3.0, "snr_max": 3.0})
    hum = {source: lambda num_samples, rng: tone(50.0, num_samples / RATE)}
    noisy = augment_waveform(tone(), RATE, asked, np.random.default_rng(1), **hum)
    spectrum = np.abs(np.fft.rfft(noisy))
    assert 20 * np.log10(spectrum[440] / spectrum[50]) == pytest.approx(3, abs=0.05)


def test_a_room_adds_an_echo_that_falls_by_60_db_in_its_time():
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    wet = reverberate(click, RATE, 0.4, np.random.default_rng(1))
    assert len(wet) == len(click)
    np.testing.assert_allclose(wet[:100], 0, atol=1e-6)
    assert wet[100] == pytest.approx(1.0, abs=1e-5), "the direct sound stays"
    tenth = round(0.04 * RATE)
    first, last = (np.sum(wet[101 + n * tenth : 101 + (n + 1) * tenth] ** 2) for n in (0, 9))
    assert 10 * np.log10(last / first) == pytest.approx(-54, abs=3), "nine tenths of the way down"
    assert np.abs(wet[101 + 10 * tenth :]).max() < 1e-5


def test_color_keeps_the_length_and_stays_gentle():
    rng = np.random.default_rng(2)
    click = np.zeros(RATE, np.float32)
    click[RATE // 2] = 1.0  # as loud at every frequency
    telephones = 0
    for _ in range(40):
        colored = color(click, RATE, rng)
        assert len(colored) == len(click)
        decibels = 20 * np.log10(np.abs(np.fft.rfft(colored))[1:])
        assert decibels[350:3350].min() > -8.5, "not at the telephone's edges, where it falls by 30 dB"
        assert decibels.max() < 8.5
        telephones += decibels[7000] < -15
    assert 4 <= telephones <= 20


def test_a_seed_decides_everything():
    def variant(seed: int) -> np.ndarray:
        return augment_waveform(tone(), RATE, FULL, np.random.default_rng(seed))

    for seed in range(8):
        np.testing.assert_array_equal(variant(seed), variant(seed))
    assert len({variant(seed).tobytes() for seed in range(8)}) == 8


@pytest.mark.parametrize(
    ("preset", "seed", "next_draw", "num_samples", "samples"),
    [
        ("none", 1, 3904497331914684452, 16000, [-0.12386, -0.12386, -0.12386]),
        ("none", 2, 6719784790152091188, 16000, [-0.12386, -0.12386, -0.12386]),
        ("waveform", 1, 4720254339273481079, 15962, [-0.06664, -0.0579, 0.05711]),
        ("waveform", 2, 6742105866739448743, 16801, [0.29955, 0.06343, -0.19977]),
        ("far", 1, 4720254339273481079, 15962, [-0.06664, -0.0579, 0.05711]),
        ("far", 2, 1177696201605042116, 16801, [0.14283, 0.00623, -0.10577]),
    ],
)
def test_older_trainings_can_be_repeated(preset, seed, next_draw, num_samples, samples):
    # Written down when Fourier transforms got quick lengths. The draws are equal to the bit; the samples
    # differ by rounding from one processor to another.
    rng = np.random.default_rng(seed)
    variant = augment_waveform(tone(), RATE, compose([f"augment={preset}"]).augment, rng)
    assert len(variant) == num_samples
    assert variant[[1003, 5003, 9003]] == pytest.approx(samples, abs=2e-5)
    assert rng.integers(2**63) == next_draw


def test_the_variants_have_the_speeds_levels_and_shares_that_were_asked_for():
    rng = np.random.default_rng(3)
    variants = [augment_waveform(tone(), RATE, FULL, rng) for _ in range(200)]
    lengths = np.array([len(variant) for variant in variants]) / RATE
    assert 1 / 1.1 - 0.001 < lengths.min() < 0.93
    assert 1.07 < lengths.max() < 1 / 0.9 + 0.001
    assert all(np.isfinite(variant).all() and np.abs(variant).max() <= 1 for variant in variants)


def test_probabilities_are_shares():
    def share(**settings) -> float:
        asked = AugmentSettings(**settings)
        rng = np.random.default_rng(4)
        changed = [not np.array_equal(augment_waveform(tone(), RATE, asked, rng), tone()) for _ in range(300)]
        return sum(changed) / 300

    assert share() == 0
    assert share(noise_probability=0.3) == pytest.approx(0.3, abs=0.08)
    assert share(band_probability=0.7) == pytest.approx(0.7, abs=0.08)


@pytest.mark.parametrize("field", dataclasses.fields(FULL), ids=lambda field: field.name)
def test_features_need_computing_anew_only_for_what_changes_waveforms(field):
    changes = {
        "speed_min": 0.9,
        "speed_max": 1.1,
        "gain_min": -3.0,
        "gain_max": 3.0,
        "noise_probability": 0.1,
        "speechless_probability": 0.1,
        "band_probability": 0.1,
        "reverb_probability": 0.1,
        "babble_probability": 0.1,
        "telephone_probability": 0.1,
        "mulaw_probability": 0.1,
        "gsm_probability": 0.1,
        "mp3_probability": 0.1,
    }
    settings = AugmentSettings(**{field.name: changes.get(field.name, field.default)})
    assert settings.changes_waveforms == (field.name in changes)


def stretches(row: torch.Tensor) -> list[int]:
    """Lengths of the runs of zeros."""
    runs = "".join("0" if value == 0 else "x" for value in row.tolist()).split("x")
    return [len(run) for run in runs if run]


def test_masks_stay_inside_each_utterance_and_within_their_limits():
    settings = AugmentSettings(time_masks=2, time_mask_frames=7, feature_masks=2, feature_mask_size=3)
    lengths = torch.tensor([80, 30, 4])
    masked_any = False
    for seed in range(60):
        torch.manual_seed(seed)
        masked = mask_features(torch.ones(3, 80, 20), lengths, settings)
        for utterance, length in zip(masked, lengths.tolist(), strict=True):
            frames = utterance[:, ~(utterance == 0).all(dim=0)].amax(dim=1)
            assert stretches(frames[length:]) == []
            in_time, in_bands = stretches(frames), stretches(utterance.amax(dim=0))
            # Two masks may touch or overlap, so their sum is what is limited.
            assert sum(in_time) <= 2 * min(7, length // 5)
            assert len(in_time) <= 2
            assert sum(in_bands) <= 6
            assert len(in_bands) <= 2
            masked_any = masked_any or bool(in_time and in_bands)
    assert masked_any


def test_masking_copies_and_follows_torchs_seed():
    settings = AugmentSettings(time_masks=2, feature_masks=2)
    features, lengths = torch.ones(2, 100, 20), torch.tensor([100, 60])
    masked = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masked.append(mask_features(features, lengths, settings))
    assert features.all()
    assert torch.equal(masked[0], masked[1])
    assert not torch.equal(masked[0], masked[2])


def test_bands_wider_than_the_features_are_cut():
    masked = mask_features(
        torch.ones(1, 50, 5), torch.tensor([50]), AugmentSettings(feature_masks=3, feature_mask_size=50)
    )
    assert masked.shape == (1, 50, 5)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"speed_min": 0.4}, "speed_min"),
        ({"speed_max": 2.5}, "speed_max"),
        ({"speed_min": 1.2}, "speed_min"),
        ({"gain_min": 1.0}, "gain_min"),
        ({"snr_min": 50.0}, "snr_min"),
        ({"noise_probability": 1.5}, "noise_probability"),
        ({"band_probability": -0.1}, "band_probability"),
        ({"gsm_probability": 1.1}, "gsm_probability"),
        ({"reverb_max": 0.0}, "reverb_max"),
        ({"babble_voices": 0}, "babble_voices"),
        ({"noise_dir": "noises"}, "noise_probability"),
        ({"time_masks": -1}, "masks"),
        ({"time_mask_frames": -1}, "masks"),
        ({"feature_masks": -1}, "masks"),
        ({"feature_mask_size": -1}, "masks"),
    ],
)
def test_impossible_settings_are_named(changes, named):
    with pytest.raises(ConfigError, match=named):
        AugmentSettings(**changes)
