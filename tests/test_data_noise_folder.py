"""Noise out of a folder, babble out of the training set: deterministic, and never in dev or test."""

import dataclasses

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader
from toys import FEATURES, RATE, SMALL, VOCABULARY, random_texts, write_corpus

import asr
from asr.augment import AugmentSettings, augment_waveform
from asr.data import SpeechDataset, collate
from asr.data.noise_folder import NoiseFolder
from asr.errors import AudioError, ConfigError
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.settings import DataSettings, Settings
from asr.text import TextSettings
from asr.trainer_settings import TrainerSettings
from asr.training import train

PITCHES = (150, 250, 350)


@pytest.fixture(scope="module")
def utterances(tmp_path_factory) -> list[Utterance]:
    return write_corpus(tmp_path_factory.mktemp("corpus"), random_texts(9, seed=3))


@pytest.fixture(scope="module")
def hums(tmp_path_factory):
    """A folder of three tones, one of them at another rate and one in a folder of its own."""
    folder = tmp_path_factory.mktemp("hums")
    (folder / "more").mkdir()
    names, rates = ("a.wav", "more/b.flac", "c.wav"), (RATE, RATE, 2 * RATE)
    for name, rate, pitch in zip(names, rates, PITCHES, strict=True):
        soundfile.write(folder / name, 0.1 * np.sin(2 * np.pi * pitch * np.arange(rate) / rate), rate)
    return folder


def dataset(utterances, augment: AugmentSettings, **options) -> SpeechDataset:
    front_end = FrontEnd(FEATURES).train()
    return SpeechDataset(utterances, front_end, VOCABULARY, TextSettings(), augment=augment, **options)


def test_every_recording_is_heard_from_any_place_on_and_short_ones_go_round(hums):
    noise, rng = NoiseFolder(hums, RATE), np.random.default_rng(1)
    for num_samples in (1, 500, RATE, 3 * RATE):
        sounds = [noise(num_samples, rng) for _ in range(30)]
        assert {sound.shape for sound in sounds} == {(num_samples,)}
    long = [noise(RATE // 2, rng) for _ in range(60)]
    heard = {round(float(np.abs(np.fft.rfft(sound)).argmax() * 2)) for sound in long}
    assert heard == set(PITCHES)
    assert len({sound.tobytes() for sound in long}) > 40, "not always the same place"
    repeated = noise(3 * RATE, np.random.default_rng(2))
    np.testing.assert_array_equal(repeated[:RATE], repeated[RATE : 2 * RATE])


@pytest.mark.parametrize("what", ["missing", "empty", "a file"])
def test_a_folder_without_noise_is_named_before_training(utterances, tmp_path, what):
    folder = tmp_path / "noises"
    if what == "empty":
        folder.mkdir()
        (folder / "README.txt").write_text("to be filled")
    elif what == "a file":
        folder.write_text("")
    asked = AugmentSettings(noise_probability=0.1, noise_dir=str(folder))
    with pytest.raises(ConfigError, match=r"augment\.noise_dir=.*noises: no (such folder|recording)"):
        dataset(utterances, asked)


def test_a_noise_that_is_no_audio_is_named_before_training(utterances, tmp_path):
    (tmp_path / "a.wav").write_text("not a sound at all")
    with pytest.raises(AudioError, match=r"a\.wav"):
        dataset(utterances, AugmentSettings(noise_probability=0.1, noise_dir=str(tmp_path)))


@pytest.mark.parametrize("cache_audio", [False, True])
def test_workers_draw_the_noise_and_the_voices_that_the_main_process_draws(utterances, hums, cache_audio):
    asked = AugmentSettings(
        noise_probability=0.6,
        noise_dir=str(hums),
        babble_probability=0.6,
        babble_voices=3,
        mp3_probability=0.5,
    )
    orders = [[0, 5, 7], [8, 1], [4, 2, 3, 6]]
    epochs = []
    for workers in (0, 2, 0):
        data = dataset(utterances, asked, cache_audio=cache_audio)
        data.epoch = 3
        loader = DataLoader(data, batch_sampler=orders, collate_fn=collate, num_workers=workers)
        epochs.append(list(loader))
    for ours, theirs, again in zip(*epochs, strict=True):
        assert all(
            torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(ours, theirs, again, strict=True)
        )


def test_babble_is_of_the_others(utterances):
    asked = AugmentSettings(babble_probability=1.0, babble_voices=50, snr_min=0, snr_max=0)
    alone = dataset(utterances[:1], asked)
    clean = dataset(utterances[:1], AugmentSettings())
    assert torch.equal(alone[0].features, clean[0].features), "nobody else is there to babble"
    together = dataset(utterances, asked)
    assert not torch.equal(together[0].features, clean[0].features)


def test_babble_passes_over_those_that_have_no_sound(utterances, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((30, 13), np.float32))
    silent = Utterance(None, 0.3, "ab", features_filepath=str(tmp_path / "a.npy"))
    asked = AugmentSettings(babble_probability=1.0, babble_voices=9)
    mixed = dataset([silent, *utterances[:2]], asked)
    other = dataset([silent, *utterances[:2]], dataclasses.replace(asked, babble_voices=1))
    assert torch.equal(mixed[1].features, other[1].features), "one other voice is all there is"
    assert len(mixed[0].features) == 30


def test_dev_and_test_are_heard_as_they_are(utterances, hums, tmp_path):
    """All augmentation at its loudest: what dev is scored by in training equals the same set heard plainly."""
    folder = tmp_path / "corpus"
    write_corpus(folder, random_texts(6, seed=4))
    loud = AugmentSettings(
        speed_min=1.5, speed_max=2.0, noise_probability=1.0, noise_dir=str(hums), babble_probability=1.0,
        snr_min=-20.0, snr_max=-20.0, reverb_probability=1.0, telephone_probability=1.0, gsm_probability=1.0,
        time_masks=5, feature_masks=5,
    )  # fmt: skip
    settings = Settings(
        features=FEATURES,
        model=SMALL,
        data=DataSettings(train=str(folder / "manifest.jsonl"), dev=str(folder / "manifest.jsonl")),
        augment=loud,
        trainer=TrainerSettings(max_epochs=1, learning_rate=1e-9, threads=1, device="cpu"),
        run_dir=str(tmp_path / "run"),
    )
    result = train(settings)
    recognizer, dev = asr.load(result.model_dir), asr.read_manifest(folder / "manifest.jsonl")
    assert result.dev_wer == asr.evaluate(recognizer, dev).words.rate
    noise, rng = NoiseFolder(hums, RATE), np.random.default_rng(1)
    changed = [augment_waveform(load_input(one, RATE, 13), RATE, loud, rng, noise=noise) for one in dev]
    texts = [recognizer.transcribe(sound, sample_rate=RATE).text for sound in changed]
    assert texts != [recognizer.transcribe(one).text for one in dev], "or else this would prove nothing"
    assert "augment" not in (result.model_dir / "config.yaml").read_text()
