"""Features from the disk are those that would be computed, to the bit, whatever happened to the disk."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
import soundfile
import torch
from torch.utils.data import DataLoader
from toys import FEATURES, RATE, SMALL, VOCABULARY, random_texts, utter, write_corpus

from asr.augment import AugmentSettings
from asr.data import SpeechDataset, collate
from asr.data.feature_cache import FeatureCache
from asr.errors import AudioError, ConfigError
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.settings import DataSettings, Settings
from asr.text import TextSettings
from asr.trainer_settings import TrainerSettings
from asr.training import train

FRONT_END = FrontEnd(FEATURES)


@pytest.fixture
def utterances(tmp_path) -> list[Utterance]:
    return write_corpus(tmp_path / "corpus", random_texts(6, seed=3))


def dataset(utterances, cache, features=FEATURES, **options) -> SpeechDataset:
    front_end = FrontEnd(features).train()
    return SpeechDataset(utterances, front_end, VOCABULARY, TextSettings(), feature_cache=cache, **options)


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def lose_audio(utterances) -> None:
    """Of the same size and time, but no sound any more: who still gives features had stored them."""
    for utterance in utterances:
        status = os.stat(utterance.audio_filepath)
        Path(utterance.audio_filepath).write_bytes(bytes(status.st_size))
        os.utime(utterance.audio_filepath, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "changes", [{}, {"delta_order": 2, "cmvn": "none"}, {"kind": "log_mel", "log": "db"}], ids=str
)
@pytest.mark.parametrize("cache_audio", [False, True])
def test_what_is_stored_is_what_would_be_computed(utterances, tmp_path, changes, cache_audio):
    features = dataclasses.replace(FEATURES, **changes)
    expected = [
        example.features for example in map(dataset(utterances, None, features).__getitem__, range(6))
    ]
    for _ in range(2):
        stored = dataset(utterances, tmp_path / "cache", features, cache_audio=cache_audio)
        assert all(torch.equal(stored[index].features, expected[index]) for index in range(6))
    assert len(entries(tmp_path / "cache")) == 6
    lose_audio(utterances)
    later = dataset(utterances, tmp_path / "cache", features)
    assert all(torch.equal(later[index].features, expected[index]) for index in range(6))


def test_an_entry_belongs_to_its_front_end_its_file_and_its_segment(utterances, tmp_path):
    cache, first = FeatureCache(tmp_path / "cache", FRONT_END), utterances[0]
    cache.static(first)
    others = [
        dataclasses.replace(first, offset=0.0, duration=0.2),
        dataclasses.replace(first, offset=0.1, duration=0.2),
        dataclasses.replace(first, offset=0.1, duration=0.15),
    ]
    for number, other in enumerate(others, 2):
        assert len(cache.static(other)) == FEATURES.num_frames(round(other.duration * RATE))
        assert len(entries(tmp_path / "cache")) == number
    FeatureCache(tmp_path / "cache", FrontEnd(dataclasses.replace(FEATURES, num_mels=25))).static(first)
    assert len(entries(tmp_path / "cache")) == 5
    soundfile.write(first.audio_filepath, utter("dd dd dd", 7), RATE)
    changed = cache.static(first)
    assert torch.equal(torch.from_numpy(changed), _computed(first))


def _computed(utterance: Utterance) -> torch.Tensor:
    waveform = FRONT_END.tensor(load_input(utterance, RATE, 13))[None]
    return FRONT_END.static(waveform, torch.tensor([waveform.shape[1]]))[0][0]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "longer", "header"])
def test_a_damaged_entry_is_computed_anew(utterances, tmp_path, damage):
    cache = FeatureCache(tmp_path / "cache", FRONT_END)
    sound = cache.static(utterances[0])
    (entry,) = entries(tmp_path / "cache")
    data = entry.read_bytes()
    middle = len(data) // 2
    damaged = {
        "empty": b"",
        "cut": data[: 4 + 13 * 4 * 10],
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "longer": data + bytes(13 * 4),
        "header": data[:3],
    }
    entry.write_bytes(damaged[damage])
    again = cache.static(utterances[0])
    assert torch.equal(torch.from_numpy(again), torch.from_numpy(sound))
    assert entry.read_bytes() == data, "and stored again"


def test_several_at_once_neither_fail_nor_leave_pieces(utterances, tmp_path):
    """Two trainings of two workers each, that start on the same empty folder."""
    expected = [dataset(utterances, None)[index].features for index in range(6)]
    orders = ([[0], [1], [2], [3], [4], [5]], [[1], [0], [3], [2], [5], [4]])
    loaders = [
        DataLoader(
            dataset(utterances, tmp_path / "cache"), batch_sampler=order, collate_fn=collate, num_workers=2
        )
        for order in orders
    ]
    for batches in zip(*loaders, strict=True):
        for batch in batches:
            assert torch.equal(batch.features[0], expected[int(batch.indices[0])])
    assert len(entries(tmp_path / "cache")) == 6


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"augment": AugmentSettings(gain_min=-3)}, "augmentation changes the waveforms"), ({}, "dither")],
)
def test_features_that_change_are_not_stored_and_that_is_said(utterances, tmp_path, caplog, changes, named):
    features = dataclasses.replace(FEATURES, dither=0.0 if changes else 10.0)
    data = dataset(utterances, tmp_path / "cache", features, **changes)
    data.epoch = 0
    first = data[0].features
    data.epoch = 1
    assert not torch.equal(data[0].features, first)
    assert not (tmp_path / "cache").exists()
    assert [record.message for record in caplog.records if named in record.message]
    assert len(caplog.records) == 1


def test_spec_augment_alone_leaves_features_where_they_are(utterances, tmp_path, caplog):
    dataset(utterances, tmp_path / "cache", augment=AugmentSettings(time_masks=2))[0]
    assert len(entries(tmp_path / "cache")) == 1
    assert caplog.records == []


def test_a_folder_that_cannot_be_is_named_before_training(utterances, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"data\.feature_cache=.*file"):
        dataset(utterances, tmp_path / "file" / "cache")


def test_a_disk_that_takes_nothing_more_costs_only_speed(utterances, tmp_path, caplog):
    data = dataset(utterances, tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder was")
    expected = dataset(utterances, None)
    assert all(torch.equal(data[index].features, expected[index].features) for index in range(6))
    assert [record.message.split(": ")[1][:22] for record in caplog.records] == ["nothing more is stored"]


def test_audio_that_is_missing_is_named(utterances, tmp_path):
    data = dataset([dataclasses.replace(utterances[0], audio_filepath="/nowhere/a.wav")], tmp_path / "cache")
    with pytest.raises(AudioError, match=r"/nowhere/a\.wav"):
        data[0]


def test_a_training_is_the_same_with_and_without(utterances, tmp_path):
    manifest = str(tmp_path / "corpus" / "manifest.jsonl")
    weights = []
    for name, cache in (("none", None), ("filled", tmp_path / "cache"), ("read", tmp_path / "cache")):
        settings = Settings(
            features=dataclasses.replace(FEATURES, delta_order=1, cmvn="stored"),
            model=SMALL,
            data=DataSettings(
                manifest, manifest, batch_seconds=2.0, cache_audio=False, feature_cache=cache and str(cache)
            ),
            augment=AugmentSettings(time_masks=1, feature_masks=1),
            trainer=TrainerSettings(max_epochs=2, threads=1, device="cpu"),
            run_dir=str(tmp_path / name),
        )
        weights.append((train(settings).model_dir / "weights.safetensors").read_bytes())
    assert len(entries(tmp_path / "cache")) == 6
    assert weights[0] == weights[1] == weights[2]
