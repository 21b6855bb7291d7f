"""Each preset against the toolkit it stands for, and the promises of the front end against themselves."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import tones
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr import audio, feature_files
from asr.augment.sound import change_speed, change_tempo
from asr.errors import ConfigError
from asr.features import FeatureSettings, FrontEnd

with warnings.catch_warnings():
    # torchaudio 2.11 announces at import that it is in maintenance.
    warnings.simplefilter("ignore")
    import torchaudio
    from torchaudio.compliance import kaldi

PRESETS = Path(__file__).parents[1] / "conf" / "features"
SPEECH = Path(__file__).parents[1] / "recipes" / "demo" / "samples" / "06-festival-ked_diphone.wav"
NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset(name: str, **overrides) -> FeatureSettings:
    values = yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))
    merged = {}
    for base in values.pop("defaults", []):
        if base != "_self_":
            merged |= yaml.safe_load((PRESETS / f"{base}.yaml").read_text(encoding="utf-8"))
    return FeatureSettings(**merged | values | overrides)


def features(front_end: FrontEnd, *waveforms: np.ndarray) -> tuple[Tensor, Tensor]:
    """One batch of waveforms, padded with a value that would show."""
    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    batch = torch.full((len(waveforms), int(lengths.max())), 0.7)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = torch.from_numpy(waveform)
    return front_end(batch, lengths)


def alone(front_end: FrontEnd, waveform: np.ndarray) -> Tensor:
    """``(time, feature)`` of one waveform."""
    return features(front_end, waveform)[0][0]


def to_kaldi(waveform: np.ndarray) -> Tensor:
    return torch.from_numpy(waveform)[None] * 32768


def assert_close(found, expected, relative: float) -> None:
    """Within a part of the largest value: cepstra near zero carry no relative precision."""
    expected = np.asarray(expected)
    assert tuple(found.shape) == expected.shape
    assert np.abs(found.numpy() - expected).max() <= relative * max(1.0, np.abs(expected).max())


class TestKaldi:
    @pytest.mark.parametrize("seconds", [0.025, 0.03, 0.5, 1.2345, 4.0])
    def test_preset(self, seconds):
        waveform = tones(seconds)
        expected = kaldi.mfcc(to_kaldi(waveform), dither=0.0, sample_frequency=16000)
        assert_close(alone(FrontEnd(preset("mfcc_kaldi")), waveform), expected, 1e-5)

    @pytest.mark.parametrize("window", ["povey", "hamming", "hann"])
    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(
        num_mels=st.integers(10, 64),
        share=st.floats(0.1, 1.0),
        f_min=st.floats(0.0, 200.0),
        f_max=st.floats(3000.0, 8000.0),
        lifter=st.sampled_from([0.0, 22.0]),
        preemphasis=st.sampled_from([0.0, 0.97]),
        remove_dc=st.booleans(),
    )
    def test_any_settings(self, window, num_mels, share, f_min, f_max, lifter, preemphasis, remove_dc):
        num_coefficients = math.ceil(share * num_mels)
        ours = preset(
            "mfcc_kaldi", num_mels=num_mels, num_coefficients=num_coefficients, window=window, f_min=f_min,
            f_max=f_max, lifter=lifter, preemphasis=preemphasis, remove_dc=remove_dc,
        )  # fmt: skip
        ours = FeatureSettings(
            **vars(ours)
            | {
                "f_min": f_min,
                "f_max": f_max,
                "lifter": lifter,
                "preemphasis": preemphasis,
                "remove_dc": remove_dc,
            }
        )
        waveform = tones(0.4)
        with warnings.catch_warnings():
            # Many narrow filters: some lie between two FFT bins and torchaudio says so.
            warnings.filterwarnings("ignore", "At least one mel filterbank has all zero values")
            expected = kaldi.mfcc(
                to_kaldi(waveform), dither=0.0, sample_frequency=16000, num_mel_bins=num_mels,
                num_ceps=num_coefficients, window_type={"hann": "hanning"}.get(window, window),
                low_freq=f_min, high_freq=f_max, cepstral_lifter=lifter, preemphasis_coefficient=preemphasis,
                remove_dc_offset=remove_dc,
            )  # fmt: skip
        assert_close(alone(FrontEnd(ours), waveform), expected, 2e-5)

    @pytest.mark.parametrize(("rate", "num_mels"), [(8000, 23), (16000, 40), (16000, 80)])
    def test_log_mel(self, rate, num_mels):
        samples = rate // 1000
        ours = preset(
            "log_mel", cmvn="none", sample_rate=rate, num_mels=num_mels,
            window_length=25 * samples, hop_length=10 * samples, fft_length=32 * samples,
        )  # fmt: skip
        waveform = tones(1.0, rate)
        expected = kaldi.fbank(to_kaldi(waveform), dither=0.0, sample_frequency=rate, num_mel_bins=num_mels)
        assert_close(alone(FrontEnd(_power_of_two(ours)), waveform), expected, 1e-5)

    def test_telephone_preset(self):
        waveform = tones(1.0, 8000)
        ours = preset("mfcc_8k", cmvn="none", delta_order=0)
        expected = kaldi.mfcc(to_kaldi(waveform), dither=0.0, sample_frequency=8000, num_mel_bins=30)
        assert_close(alone(FrontEnd(ours), waveform), expected, 1e-5)


def _power_of_two(ours: FeatureSettings) -> FeatureSettings:
    return FeatureSettings(**vars(ours) | {"fft_length": 2 ** math.ceil(math.log2(ours.window_length))})


class TestLibrosa:
    @pytest.mark.parametrize("samples", [600, 16000, 16385, 40000])
    def test_preset(self, samples):
        librosa = pytest.importorskip("librosa")
        waveform = tones(3.0)[:samples]
        with warnings.catch_warnings():
            # librosa warns that its window is longer than so short a signal, which is the case under test.
            warnings.filterwarnings("ignore", "n_fft=2048 is too large")
            expected = librosa.feature.mfcc(y=waveform, sr=16000).T
        assert_close(alone(FrontEnd(preset("mfcc_librosa")), waveform), expected, 1e-5)

    def test_range_is_limited_to_each_utterance_own_maximum(self):
        quiet, loud = 1e-4 * tones(1.0), np.concatenate([tones(1.0), np.zeros(16000, np.float32)])
        front_end = FrontEnd(preset("mfcc_librosa", kind="log_mel"))
        together, lengths = features(front_end, quiet, loud)
        for row, length in zip(together, lengths, strict=True):
            assert row[:length].max() - row[:length].min() <= 80.001
        assert together[1, : lengths[1]].min() == pytest.approx(float(together[1].max()) - 80, abs=1e-3)


class TestSphinx:
    def test_preset_gives_the_published_cepstra_of_an4(self, corpora):
        front_end = FrontEnd(preset("mfcc_sphinx"))
        errors = []
        for clip in sorted((corpora / "an4" / "wav_sample").glob("*.wav")):
            (published,) = (corpora / "an4" / "an4" / "feat").rglob(f"{clip.stem}.mfc")
            expected = feature_files.read(published, 13)
            found = alone(front_end, audio.load(clip, 16000)).numpy()
            assert found.shape == expected.shape
            errors.append(np.abs(found - expected).mean())
        assert len(errors) == 43
        assert max(errors) < 1e-5

    def test_matches_its_formula_in_double_precision(self):
        waveform = tones(0.5)
        expected = _sphinx_by_the_book(waveform.astype(np.float64))
        assert_close(alone(FrontEnd(preset("mfcc_sphinx")), waveform), expected, 1e-5)


def _sphinx_by_the_book(waveform: np.ndarray) -> np.ndarray:
    """The recipe of CMU's sphinx_fe, with loops instead of tensors."""
    num_frames = 1 + math.ceil(max(0, len(waveform) - 410) / 160)
    signal = np.zeros((num_frames - 1) * 160 + 410)
    signal[: len(waveform)] = waveform * 32768
    signal[1:] -= 0.97 * signal[:-1].copy()
    mels = np.linspace(2595 * np.log10(1 + 130 / 700), 2595 * np.log10(1 + 6800 / 700), 42)
    edges = np.floor(700 * (10 ** (mels / 2595) - 1) / 31.25 + 0.5) * 31.25
    result = np.zeros((num_frames, 13))
    for frame in range(num_frames):
        windowed = signal[frame * 160 : frame * 160 + 410] * np.hamming(410)
        power = np.abs(np.fft.rfft(windowed, 512)) ** 2
        log_mel = np.zeros(40)
        for mel in range(40):
            left, centre, right = edges[mel : mel + 3]
            triangle = np.interp(
                np.arange(257) * 31.25, [left, centre, right], [0, 2 / (right - left), 0], 0, 0
            )
            log_mel[mel] = np.log(power @ triangle)
        log_mel[0] /= 2
        for k in range(13):
            result[frame, k] = np.sum(log_mel * np.cos(np.pi / 40 * k * (np.arange(40) + 0.5))) / 40
    return result


class TestDeltas:
    @pytest.mark.parametrize("window", [1, 2, 4])
    @pytest.mark.parametrize("seconds", [0.025, 0.045, 1.0])
    def test_are_the_regression_with_repeated_edges(self, window, seconds):
        waveform = tones(seconds)
        static = alone(FrontEnd(preset("mfcc_kaldi")), waveform)
        found = alone(FrontEnd(preset("mfcc_kaldi", delta_order=2, delta_window=window)), waveform)
        first = torchaudio.functional.compute_deltas(static.T, 2 * window + 1).T
        second = torchaudio.functional.compute_deltas(first.T, 2 * window + 1).T
        assert_close(found, torch.cat([static, first, second], dim=1), 1e-5)


class TestNormalization:
    def test_utterance(self):
        front_end = FrontEnd(preset("mfcc"))
        found, lengths = features(front_end, tones(1.0), tones(2.0), tones(0.5))
        for row, length in zip(found, lengths, strict=True):
            valid = row[:length]
            torch.testing.assert_close(valid.mean(0), torch.zeros(39), rtol=0, atol=1e-4)
            torch.testing.assert_close(valid.var(0, unbiased=False), torch.ones(39), rtol=0, atol=1e-3)
            assert not row[length:].any()

    def test_stored(self):
        waveform = tones(1.0)
        front_end = FrontEnd(preset("mfcc_kaldi", cmvn="stored"))
        plain = alone(FrontEnd(preset("mfcc_kaldi")), waveform)
        torch.testing.assert_close(alone(front_end, waveform), plain)
        front_end.mean += 3.0
        front_end.std *= 2.0
        torch.testing.assert_close(alone(front_end, waveform), (plain - 3.0) / 2.0)
        assert set(front_end.state_dict()) == {"mean", "std"}

    def test_prior_frames_are_as_if_heard_before_the_utterance(self):
        plain = alone(FrontEnd(preset("mfcc_kaldi")), tones(0.5))
        heard_before = torch.randn(40, 13) * 2 + 5
        front_end = FrontEnd(preset("mfcc_kaldi", cmvn="utterance", cmvn_prior=40.0))
        front_end.mean.copy_(heard_before.mean(0))
        front_end.std.copy_(heard_before.std(0, unbiased=False))
        everything = torch.cat([heard_before, plain])
        expected = (plain - everything.mean(0)) / everything.std(0, unbiased=False)
        torch.testing.assert_close(alone(front_end, tones(0.5)), expected, rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_that_settings_determine_is_saved(self, name):
        assert not FrontEnd(preset(name)).state_dict()


@pytest.mark.parametrize(("cmvn", "prior"), [("none", 0), ("utterance", 0), ("utterance", 50), ("stored", 0)])
@pytest.mark.parametrize("delta_order", [0, 2])
@pytest.mark.parametrize("name", NAMES)
def test_padding_and_batch_mates_change_nothing(name, delta_order, cmvn, prior):
    front_end = FrontEnd(preset(name, delta_order=delta_order, cmvn=cmvn, cmvn_prior=prior))
    # Over fewer frames, nearly alike, the division by their deviation would magnify float32's own rounding.
    waveforms = [tones(1.3), tones(0.1), 0.01 * tones(2.0), np.zeros(5000, np.float32), tones(0.777)]
    together, lengths = features(front_end, *waveforms)
    for row, length, waveform in zip(together, lengths, waveforms, strict=True):
        single = alone(front_end, waveform)
        assert len(single) == length
        torch.testing.assert_close(row[:length], single, rtol=1e-5, atol=1e-5)
        assert not row[length:].any()


def test_not_even_padding_that_is_no_number():
    front_end = FrontEnd(preset("mfcc"))
    waveform = torch.from_numpy(tones(1.0))[None]
    padded = torch.nn.functional.pad(waveform, (0, 5000), value=math.nan)
    lengths = torch.tensor([16000])
    torch.testing.assert_close(front_end(padded, lengths)[0], front_end(waveform, lengths)[0])


@pytest.mark.parametrize("factor", [0.87, 1.15])
@pytest.mark.parametrize("name", NAMES)
def test_the_speed_matrix_does_to_features_what_speed_does_to_speech(name, factor):
    settings = preset(name, dither=0.0, cmvn="utterance", delta_order=0)
    front_end = FrontEnd(settings)
    speech = audio.load(SPEECH, settings.sample_rate)
    faster = front_end.extract(change_speed(speech, factor)).numpy()
    tempo = change_tempo(front_end.extract(speech, normalize=False).numpy(), factor)
    without, moved = (
        np.mean((front_end.extract(static)[: len(faster)].numpy() - faster[: len(static)]) ** 2)
        for static in (tempo, tempo @ front_end.speed_matrix(factor))
    )
    assert moved < 0.75 * without
    assert not np.allclose(front_end.speed_matrix(factor), np.eye(settings.num_static), atol=0.1)
    np.testing.assert_allclose(front_end.speed_matrix(1.0), np.eye(settings.num_static), atol=1e-6)


@pytest.mark.parametrize("edges", ["snip", "pad", "center"])
def test_num_frames_is_the_number_of_frames(edges):
    front_end = FrontEnd(preset("mfcc_kaldi", edges=edges))
    sizes = [1, 2, 159, 160, 161, 399, 400, 401, 559, 560, 561, 16000]
    by_tensor = front_end.settings.num_frames(torch.tensor(sizes))
    for size, expected in zip(sizes, by_tensor, strict=True):
        found, lengths = features(front_end, tones(1.0)[:size])
        assert found.shape[1] == lengths[0] == expected == front_end.settings.num_frames(size)
    np.testing.assert_array_equal(front_end.settings.num_frames(np.array(sizes)), by_tensor)


def test_columns_and_hop_are_as_announced():
    for name in NAMES:
        front_end = FrontEnd(preset(name))
        assert alone(front_end, tones(0.3)).shape[1] == front_end.settings.num_features
    assert preset("mfcc").hop_seconds == preset("mfcc_8k").hop_seconds == 0.01


class TestGradient:
    @pytest.mark.parametrize("kind", ["mfcc", "log_mel"])
    @pytest.mark.parametrize("cmvn", ["none", "utterance"])
    def test_is_right_down_to_the_waveform(self, kind, cmvn):
        small = FeatureSettings(
            kind=kind, cmvn=cmvn, sample_rate=8000, window_length=24, hop_length=12, fft_length=32,
            num_mels=4, num_coefficients=3, delta_order=1, scale=1.0,
        )  # fmt: skip
        front_end = FrontEnd(small).double()
        noise = np.random.default_rng(0).normal(size=(2, 60))
        lengths = torch.tensor([60, 47])
        waveforms = torch.tensor(noise, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: front_end(x, lengths)[0], (waveforms,), eps=1e-6, atol=1e-5)

    @pytest.mark.parametrize("name", NAMES)
    def test_reaches_every_sample_that_a_frame_covers(self, name):
        front_end = FrontEnd(preset(name, cmvn="none", delta_order=0))
        waveforms = torch.from_numpy(tones(0.5, front_end.settings.sample_rate))[None].requires_grad_()
        found, lengths = front_end(waveforms, torch.tensor([waveforms.shape[1]]))
        found.square().sum().backward()
        covered = int(lengths[0] - 1) * front_end.settings.hop_length
        assert waveforms.grad.isfinite().all()
        assert (waveforms.grad[0, 1:covered] != 0).float().mean() > 0.99


class TestDither:
    def test_only_in_training(self):
        front_end = FrontEnd(preset("mfcc_kaldi", dither=1.0))
        waveform = tones(0.5)
        plain = alone(FrontEnd(preset("mfcc_kaldi")), waveform)
        torch.testing.assert_close(alone(front_end.eval(), waveform), plain)
        front_end.train()
        torch.manual_seed(0)
        first, second = alone(front_end, waveform), alone(front_end, waveform)
        assert not torch.equal(first, second)
        assert (first - plain).abs().mean() < 3.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(8000),
        np.full(8000, 0.9),
        np.where(tones(0.5) > 0, 1.0, -1.0),
        np.zeros(1),
        np.ones(1),
        255 * tones(0.5),
    ],
    ids=["silence", "DC", "clipped", "one zero", "one sample", "far too loud"],
)
def test_extreme_input_gives_finite_features(name, waveform):
    assert alone(FrontEnd(preset(name)), waveform.astype(np.float32)).isfinite().all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "plp"},
        {"window": "kaiser"},
        {"edges": "reflect"},
        {"log": "bel"},
        {"cmvn": "speaker"},
        {"delta_order": 3},
        {"hop_length": 0},
        {"hop_length": 500},
        {"window_length": 600},
        {"fft_length": 513},
        {"num_coefficients": 41},
        {"num_coefficients": 0},
        {"num_mels": 0, "kind": "log_mel"},
        {"f_min": -1.0},
        {"f_min": 9000.0},
        {"f_max": 9000.0},
        {"sample_rate": 0},
        {"delta_window": 0},
        {"dither": -1.0},
        {"scale": 0.0},
        {"log_floor": 0.0},
        {"log_floor": math.nan},
        {"lifter": -1.0},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"^features.*\.$"):
        FeatureSettings(**wrong)
