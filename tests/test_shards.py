"""Tar files are a corpus like any other: the same sound, the same batches for any number of workers, named faults."""

import io
import itertools
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from toys import FEATURES, RATE, SMALL, VOCABULARY, random_texts, write_corpus

from asr.augment import AugmentSettings
from asr.corpus.build import build
from asr.corpus.check import check
from asr.corpus.listen import believe
from asr.data import SpeechDataset, collate, make_batches, shard_names
from asr.errors import AudioError, ManifestError
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.settings import DataSettings, Settings
from asr.shards import read_shards, read_utterances
from asr.text import TextSettings
from asr.trainer_settings import TrainerSettings
from asr.training import train


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return path


def sound_of(utterance: Utterance) -> bytes:
    return Path(utterance.audio_filepath).read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> list[Utterance]:
    return write_corpus(tmp_path_factory.mktemp("corpus"), random_texts(12, seed=3))


@pytest.fixture(scope="module")
def folder(plain, tmp_path_factory) -> Path:
    """Three shards of four: texts beside, JSON with and without duration, keys in folders, things of others."""
    folder = tmp_path_factory.mktemp("shards")
    for number in range(3):
        members = []
        for index in range(4 * number, 4 * number + 4):
            text, key = plain[index].text, f"part/{index:03d}"
            stated = {"text": text, "speaker": f"s{number}"} | (
                {"duration": plain[index].duration} if number else {}
            )
            label = (
                (f"{key}.txt", f"{text}\n".encode())
                if number == 2
                else (f"{key}.json", json.dumps(stated).encode())
            )
            members += [(f"{key}.wav", sound_of(plain[index])), label, (f"{key}.cls", b"7")]
        write_tar(folder / f"train-{number + 8:02d}.tar", members)
    return folder


def waveforms(utterances) -> list[np.ndarray]:
    return [load_input(utterance, RATE, 13) for utterance in utterances]


@pytest.mark.parametrize(
    "pattern", ["train-{08..10}.tar", "train-*.tar", "{train}-{8..9}.tar", "train-09.tar"]
)
def test_every_utterance_is_found_with_its_sound(folder, plain, pattern):
    expected = {"train-09.tar": plain[4:8]}.get(pattern, plain)
    if pattern.startswith("{"):
        with pytest.raises(ManifestError, match=r"\{train\}-8\.tar: no such tar file"):
            read_shards(folder / pattern)
        return
    found = read_shards(folder / pattern)
    assert [one.text for one in found] == [one.text for one in expected]
    assert [one.duration for one in found] == pytest.approx([one.duration for one in expected])
    for ours, theirs in zip(waveforms(found), waveforms(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert {one.speaker for one in found} <= {"s0", "s1", None}
    assert found[0].name.endswith(f".tar/{found[0].member.name}")


def test_a_manifest_of_shards_reads_as_the_shards(folder, tmp_path):
    found = read_shards(folder / "train-*.tar")
    assert build(folder / "train-{08..10}.tar").utterances == found
    write_manifest(tmp_path / "all.jsonl", found)
    assert read_utterances(str(tmp_path / "all.jsonl")) == found
    write_manifest(folder / "beside.jsonl", found)
    assert '"audio_filepath": "train-08.tar"' in (folder / "beside.jsonl").read_text()
    assert read_manifest(folder / "beside.jsonl") == found


@pytest.mark.parametrize("member", ["a.wav", ["a.wav"], ["a.wav", -1, 5], ["a.wav", 0, "5"], [1, 2, 3], {}])
def test_a_member_that_is_none_is_named(tmp_path, member):
    line = {"audio_filepath": "a.tar", "duration": 1, "text": "a", "member": member}
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    with pytest.raises(ManifestError, match=r"a\.jsonl:1: member must be"):
        read_manifest(tmp_path / "a.jsonl")


def test_shards_are_checked_like_files(folder, plain):
    found = read_shards(folder / "train-*.tar")
    in_tar, in_files = ({d.kind for d in check({"a": utterances})} for utterances in (found, plain))
    assert in_tar == in_files
    assert (
        len({believe(utterance, None).fingerprint for utterance in read_shards(folder / "train-*.tar")}) == 12
    )


def test_a_fault_in_a_shard_is_named_once(tmp_path):
    write_tar(tmp_path / "a.tar", [("a.wav", b"no sound"), ("a.json", b'{"text": "ab", "duration": 1}')])
    (defect,) = (d for d in check({"a": read_shards(tmp_path / "a.tar")}) if d.kind == "audio")
    assert defect.utterance == str(tmp_path / "a.tar" / "a.wav")
    assert defect.message.startswith("text, not audio")


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ([("a.wav", b"RIFF")], "a needs one recording and one text"),
        ([("a.txt", b"words")], "a needs one recording and one text"),
        ([("a.wav", b""), ("a.flac", b""), ("a.txt", b"words")], r"it has a\.flac, a\.txt, a\.wav"),
        ([("a.wav", b""), ("a.json", b'{"words": 1}')], "a needs"),
        ([("a.wav", b""), ("a.json", b"{")], "not a plain, whole tar file with UTF-8 texts"),
        ([("a.wav", b""), ("a.txt", b"\xff\xff")], "not a plain, whole tar file with UTF-8 texts"),
        ([(".hidden", b""), ("README", b"")], "holds no recording"),
    ],
)
def test_what_is_no_sample_is_named(tmp_path, members, named):
    write_tar(tmp_path / "a.tar", members)
    with pytest.raises(ManifestError, match=named):
        read_shards(tmp_path / "a.tar")


def test_damage_is_named(tmp_path, folder):
    whole = (folder / "train-08.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ManifestError, match=r"cut\.tar: not a plain, whole tar file"):
        read_shards(tmp_path / "cut.tar")
    with tarfile.open(tmp_path / "packed.tar", "w:gz"):
        pass
    with pytest.raises(ManifestError, match=r"packed\.tar: not a plain"):
        read_shards(tmp_path / "packed.tar")
    write_tar(tmp_path / "noise.tar", [("a.wav", b"hello, I am no sound"), ("a.txt", b"words")])
    with pytest.raises(AudioError, match=r"noise\.tar/a\.wav: text, not audio"):
        read_shards(tmp_path / "noise.tar")


def test_a_shard_that_is_cut_or_goes_later_is_named(tmp_path, folder):
    (tmp_path / "a.tar").write_bytes((folder / "train-08.tar").read_bytes())
    found = read_shards(tmp_path / "a.tar")
    (tmp_path / "a.tar").write_bytes((folder / "train-08.tar").read_bytes()[:3000])
    with pytest.raises(AudioError, match=r"a\.tar/part/003\.wav: the tar file ends before it"):
        load_input(found[3], RATE, 13)
    (tmp_path / "a.tar").unlink()
    with pytest.raises(AudioError, match=r"a\.tar/part/000\.wav: cannot be read"):
        load_input(found[0], RATE, 13)


SHARDS = [f"{number // 100:02d}.tar" for number in range(1000)]
DURATIONS = np.random.default_rng(1).lognormal(1.3, 0.4, 1000).tolist()


def windowed(epoch: int, **options) -> list[list[int]]:
    return make_batches(DURATIONS, 60, seed=1, epoch=epoch, shards=SHARDS, window=250, **options)


def test_a_window_reads_few_shards_and_every_utterance_comes_once():
    orders = []
    for epoch in range(3):
        batches = windowed(epoch)
        places = [index for batch in batches for index in batch]
        assert sorted(places) == list(range(1000))
        for start in range(0, 1000, 250):
            assert len({SHARDS[index] for index in places[start : start + 250]}) <= 3
        padded = sum(len(batch) * max(DURATIONS[index] for index in batch) for batch in batches)
        assert padded <= 60 * len(batches)
        orders.append(list(dict.fromkeys(SHARDS[index] for index in places)))
    assert orders[0] != orders[1] != orders[2]
    assert windowed(1) == windowed(1)


def test_short_ones_come_first_within_each_window():
    lengths = [DURATIONS[index] for batch in windowed(0, shortest_first=True) for index in batch]
    falls = sum(later < earlier for earlier, later in itertools.pairwise(lengths))
    assert falls == 3


def test_workers_read_what_the_main_process_reads(folder, plain):
    found = read_shards(folder / "train-*.tar")
    assert len(set(shard_names(found))) == 3
    assert shard_names(plain) == []
    asked = AugmentSettings(gain_min=-10, noise_probability=0.5, babble_probability=0.5)
    epochs = []
    for workers in (0, 2):
        data = SpeechDataset(
            found, FrontEnd(FEATURES).train(), VOCABULARY, TextSettings(), augment=asked, cache_audio=True
        )
        data.epoch = 2
        batches = make_batches(
            [one.duration for one in found], 4.0, seed=1, epoch=2, shards=shard_names(found), window=5
        )
        loader = DataLoader(data, batch_sampler=batches, collate_fn=collate, num_workers=workers)
        epochs.append(list(loader))
    assert data._memory == {}, "what may be larger than the memory is not kept in it"
    for ours, theirs in zip(*epochs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_features_of_shards_are_stored_one_by_one(folder, tmp_path):
    found = read_shards(folder / "train-*.tar")
    data = [
        SpeechDataset(found, FrontEnd(FEATURES), VOCABULARY, TextSettings(), feature_cache=cache)
        for cache in (None, tmp_path / "cache", tmp_path / "cache")
    ]
    for index in range(len(found)):
        assert torch.equal(data[0][index].features, data[1][index].features)
        assert torch.equal(data[0][index].features, data[2][index].features)
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 12


def test_a_training_from_shards_is_the_one_from_their_manifest(folder, tmp_path):
    found = read_shards(folder / "train-*.tar")
    write_manifest(tmp_path / "all.jsonl", found)
    weights = []
    for name, source in (
        ("tar", str(folder / "train-{08..10}.tar")),
        ("manifest", str(tmp_path / "all.jsonl")),
    ):
        settings = Settings(
            features=FEATURES,
            model=SMALL,
            data=DataSettings(source, str(tmp_path / "all.jsonl"), batch_seconds=4.0, shuffle_window=4),
            augment=AugmentSettings(gain_min=-5, time_masks=1),
            trainer=TrainerSettings(max_epochs=2, threads=1, device="cpu"),
            run_dir=str(tmp_path / name),
        )
        weights.append((train(settings).model_dir / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]
