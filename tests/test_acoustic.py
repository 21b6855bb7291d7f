"""The front end and the network joined: one clip at a time or in batches, waveforms or features, any mode."""

import dataclasses

import numpy as np
import pytest
import torch
from toys import FEATURES, RATE, SMALL, random_model, utter

from asr import windows
from asr.acoustic import TorchAcousticModel, pick_device
from asr.errors import ConfigError

CLIPS = [utter("ab"), utter("cd bad dc"), utter("d")[:300], utter("dc a")]


def test_one_clip_alone_is_the_same_in_any_batch():
    acoustic = random_model(loudness=1.0).acoustic
    together = acoustic.log_probs(CLIPS)
    for clip, scores in zip(CLIPS, together, strict=True):
        alone = acoustic.log_probs([clip])[0]
        assert scores.shape == alone.shape
        np.testing.assert_allclose(scores, alone, rtol=0, atol=1e-5)
    for scores, reversed_scores in zip(together, acoustic.log_probs(CLIPS[::-1])[::-1], strict=True):
        np.testing.assert_allclose(scores, reversed_scores, rtol=0, atol=1e-5)


def test_what_comes_out_is_log_probs_a_frame():
    acoustic = random_model().acoustic
    (scores,) = acoustic.log_probs([CLIPS[0]])
    assert scores.dtype == np.float32
    assert scores.shape == (-(-FEATURES.num_frames(len(CLIPS[0])) // 2), 6)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=1e-5)
    assert acoustic.frame_seconds == pytest.approx(0.02)
    assert (acoustic.sample_rate, acoustic.num_static) == (RATE, 13)


def test_precomputed_features_are_heard_like_the_audio():
    features = dataclasses.replace(FEATURES, delta_order=2)
    acoustic = random_model(features).acoustic
    waveform = CLIPS[1]
    static, _ = acoustic.front_end.static(
        acoustic.front_end.tensor(waveform)[None], torch.tensor([len(waveform)])
    )
    from_audio, from_features = acoustic.log_probs([waveform, static[0].numpy()])
    np.testing.assert_allclose(from_features, from_audio, rtol=0, atol=1e-5)


def test_forward_is_what_log_probs_does():
    acoustic = random_model().acoustic
    waveform = acoustic.front_end.tensor(CLIPS[0])[None]
    scores, lengths = acoustic(waveform, torch.tensor([waveform.shape[1]]))
    assert int(lengths) == scores.shape[1]
    expected = acoustic.log_probs([CLIPS[0]])[0]
    np.testing.assert_allclose(scores[0].detach().numpy(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("edges", ["snip", "pad", "center"])
def test_a_long_recording_is_normalised_by_exactly_its_own_statistics(edges, monkeypatch):
    monkeypatch.setattr(windows, "_BLOCK_FRAMES", 50)
    features = dataclasses.replace(FEATURES, delta_order=2, cmvn="utterance", edges=edges)
    acoustic = random_model(features).acoustic
    waveform = utter("ab cd dab bad")
    fitted = acoustic.fitted_to(np.array_split(waveform, 7))
    np.testing.assert_allclose(
        fitted.log_probs([waveform])[0], acoustic.log_probs([waveform])[0], rtol=0, atol=1e-4
    )


def test_dither_and_dropout_are_for_training_only_and_the_mode_is_given_back():
    features = dataclasses.replace(FEATURES, dither=100.0)
    acoustic = TorchAcousticModel(features, dataclasses.replace(SMALL, dropout=0.5), 6)
    assert acoustic.training
    first, second = acoustic.log_probs([CLIPS[0]])[0], acoustic.log_probs([CLIPS[0]])[0]
    np.testing.assert_array_equal(first, second)
    assert acoustic.training
    assert acoustic.front_end.training
    acoustic.eval().log_probs([CLIPS[0]])
    assert not acoustic.network.training


def test_a_failure_gives_the_mode_back_too():
    acoustic = random_model().acoustic.train()
    with pytest.raises(RuntimeError):
        acoustic.log_probs([np.zeros((10, 99), np.float32)])
    assert acoustic.training


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else pick_device().type)
    with pytest.raises(ConfigError, match=r"'gpu'.*there is .*cpu"):
        pick_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="cuda"):
        pick_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA")
def test_the_gpu_hears_what_the_processor_hears():
    acoustic = random_model().acoustic
    on_processor = acoustic.log_probs(CLIPS)
    on_gpu = acoustic.to(pick_device("cuda")).log_probs(CLIPS)
    for ours, theirs in zip(on_processor, on_gpu, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-2)
