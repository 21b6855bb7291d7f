"""Every utterance once an epoch, in batches that fit, augmented as seed and epoch decide, or else named."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from toys import FEATURES, RATE, VOCABULARY, random_texts, write_corpus

from asr.augment import AugmentSettings
from asr.data import (
    Example,
    SpeechDataset,
    collate,
    count_unknown,
    make_batches,
    split_missing,
    trainable,
)
from asr.errors import AudioError, ManifestError, VocabularyError
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.models.losses import ctc_losses
from asr.text import TextSettings, Vocabulary, frames_needed

AUGMENT = AugmentSettings(
    speed_min=0.9, speed_max=1.1, gain_min=-10, noise_probability=0.5, band_probability=0.5
)
durations = st.lists(st.floats(0.1, 30.0), max_size=60)


@given(
    durations,
    st.floats(1.0, 100.0),
    st.integers(1, 20),
    st.integers(0, 99),
    st.integers(0, 99),
    st.booleans(),
)
def test_batches_hold_every_index_once_within_the_limits(
    durations, budget, most, seed, epoch, shortest_first
):
    batches = make_batches(durations, budget, most, seed=seed, epoch=epoch, shortest_first=shortest_first)
    assert sorted(itertools.chain(*batches)) == list(range(len(durations)))
    for batch in batches:
        assert 1 <= len(batch) <= most
        padded = len(batch) * max(durations[index] for index in batch)
        assert padded <= budget or len(batch) == 1


def speech_durations() -> list[float]:
    """2500 utterances of 1.6 to 20 s, 4.0 s in the mean: the shape of speechocean762."""
    return np.random.default_rng(7).lognormal(1.32, 0.34, 2500).clip(1.6, 20.0).tolist()


def test_batches_are_a_function_of_seed_and_epoch():
    durations = speech_durations()
    first = make_batches(durations, 160, seed=1, epoch=3)
    assert first == make_batches(durations, 160, seed=1, epoch=3)
    assert first != make_batches(durations, 160, seed=1, epoch=4)
    assert first != make_batches(durations, 160, seed=2, epoch=3)
    # Not only their order: utterances meet others.
    other = make_batches(durations, 160, seed=1, epoch=4)
    assert len({frozenset(b) for b in first} & {frozenset(b) for b in other}) < len(first) / 4


def test_shortest_first_is_sorted():
    durations = speech_durations()
    batches = make_batches(durations, 160, seed=1, epoch=0, shortest_first=True)
    lengths = [durations[index] for batch in batches for index in batch]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("epoch", [1, 2])
def test_little_is_wasted_on_padding(epoch):
    durations = speech_durations()
    batches = make_batches(durations, 160, seed=1, epoch=epoch)
    padded = sum(len(batch) * max(durations[index] for index in batch) for batch in batches)
    assert 1 - sum(durations) / padded < 0.05
    assert sum(durations) / 160 / len(batches) > 0.9


def test_collate_pads_with_zeros_and_says_where_each_ends():
    examples = [
        Example(torch.ones(3, 2), torch.tensor([1, 2]), 7),
        Example(torch.ones(5, 2), torch.tensor([3]), 0),
        Example(torch.ones(1, 2), torch.tensor([4, 5, 6]), 2),
    ]
    batch = collate(examples)
    assert batch.features.shape == (3, 5, 2)
    assert batch.features.sum(dim=(1, 2)).tolist() == [6, 10, 2]
    assert batch.feature_lengths.tolist() == [3, 5, 1]
    assert batch.targets.tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]
    assert batch.target_lengths.tolist() == [2, 1, 3]
    assert batch.indices.tolist() == [7, 0, 2]


@pytest.fixture(scope="module")
def utterances(tmp_path_factory) -> list[Utterance]:
    return write_corpus(tmp_path_factory.mktemp("corpus"), random_texts(9, seed=3))


def dataset(utterances, features=FEATURES, **options) -> SpeechDataset:
    return SpeechDataset(utterances, FrontEnd(features).train(), VOCABULARY, TextSettings(), **options)


def test_an_example_is_the_features_and_the_symbols_of_its_utterance(utterances):
    example = dataset(utterances)[4]
    assert VOCABULARY.decode(example.targets.tolist()) == utterances[4].text
    assert example.features.shape == (FEATURES.num_frames(round(utterances[4].duration * RATE)), 13)
    assert example.place == 4
    assert not example.features.is_inference()


@pytest.mark.parametrize("dither", [0.0, 30.0])
@pytest.mark.parametrize("cache_audio", [False, True])
def test_augmentation_depends_on_seed_epoch_and_index_alone(utterances, cache_audio, dither):
    features = dataclasses.replace(FEATURES, dither=dither)

    def epoch(number: int, order, seed: int = 1) -> dict[int, torch.Tensor]:
        data = dataset(utterances, features, augment=AUGMENT, seed=seed, cache_audio=cache_audio)
        data.epoch = number
        return {index: data[index].features for index in order}

    torch.manual_seed(5)
    first = epoch(2, range(9))
    torch.manual_seed(6)
    again = epoch(2, [8, 3, 0, 1, 1, 5, 4, 7, 6, 2])
    assert all(torch.equal(first[index], again[index]) for index in range(9))
    for other in (epoch(3, range(9)), epoch(2, range(9), seed=2)):
        assert not any(torch.equal(first[index], other[index]) for index in range(9))


def test_loading_leaves_torchs_generator_alone(utterances):
    data = dataset(utterances, dataclasses.replace(FEATURES, dither=30.0))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    data[0]
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("cache_audio", [False, True])
def test_workers_load_what_the_main_process_loads(utterances, cache_audio):
    features = dataclasses.replace(FEATURES, dither=30.0)
    data = dataset(utterances, features, augment=AUGMENT, cache_audio=cache_audio)
    batches = make_batches([u.duration for u in utterances], 4.0, seed=1, epoch=1)
    assert len(batches) > 2
    alone, shared = (
        list(DataLoader(data, batch_sampler=batches, collate_fn=collate, num_workers=workers))
        for workers in (0, 2)
    )
    for ours, theirs in zip(alone, shared, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_cache_keeps_the_audio_as_it_is(utterances):
    cached, fresh = (dataset(utterances, augment=AUGMENT, cache_audio=cache) for cache in (True, False))
    for epoch in (0, 1, 0):
        cached.epoch = fresh.epoch = epoch
        assert torch.equal(cached[2].features, fresh[2].features)


def test_precomputed_features_equal_the_audio(utterances, tmp_path):
    features = dataclasses.replace(FEATURES, delta_order=2)
    lines = []
    for number, utterance in enumerate(utterances):
        front_end = FrontEnd(features)
        waveform = front_end.tensor(load_input(utterance, RATE, 13))[None]
        static, _ = front_end.static(waveform, torch.tensor([waveform.shape[1]]))
        np.save(tmp_path / f"{number}.npy", static[0].numpy())
        lines.append(
            Utterance(
                None, utterance.duration, utterance.text, features_filepath=str(tmp_path / f"{number}.npy")
            )
        )
    write_manifest(tmp_path / "features.jsonl", lines)
    read = read_manifest(tmp_path / "features.jsonl")
    from_audio, from_features = dataset(utterances, features), dataset(read, features)
    for index in range(len(utterances)):
        ours, theirs = from_features[index], from_audio[index]
        torch.testing.assert_close(ours.features, theirs.features, rtol=0, atol=1e-5)
        assert torch.equal(ours.targets, theirs.targets)


def test_stored_features_are_played_at_other_speeds(tmp_path):
    rising = np.outer(np.linspace(0, 1, 101), [1.0, -2.0, *[0.0] * 11]).astype(np.float32)
    np.save(tmp_path / "rising.npy", rising)
    stored = Utterance(None, 1.01, "ab", features_filepath=str(tmp_path / "rising.npy"))
    faster = AugmentSettings(speed_min=1.25, speed_max=1.25, noise_probability=1.0)
    heard = dataset([stored], dataclasses.replace(FEATURES, cmvn="none"), augment=faster)
    places = np.linspace(0, 100, 81).round().astype(int)
    expected = rising[places] @ heard.front_end.speed_matrix(1.25)
    np.testing.assert_allclose(heard[0].features, expected, atol=0.03)
    other = [
        dataset([stored], augment=AugmentSettings(speed_min=0.9, speed_max=1.1), seed=seed)[0]
        for seed in (1, 2)
    ]
    assert len({len(example.features) for example in other}) == 2


def test_a_segment_is_read_alone_and_a_whole_file_to_its_end(utterances):
    whole = utterances[0]
    everything = load_input(whole, RATE, 13)
    # A manifest's rounded duration cuts no whole file short.
    assert len(load_input(dataclasses.replace(whole, duration=0.1), RATE, 13)) == len(everything)
    segment = load_input(dataclasses.replace(whole, offset=0.1, duration=0.2), RATE, 13)
    np.testing.assert_array_equal(segment, everything[800:2400])
    first = dataclasses.replace(whole, offset=0.0, duration=0.2)
    np.testing.assert_array_equal(load_input(first, RATE, 13), everything[:1600])


def test_where_nobody_speaks_there_is_noise_and_nothing_to_write(utterances):
    asked = AugmentSettings(speechless_probability=0.5)
    plain, some = dataset(utterances), dataset(utterances, augment=asked)
    for index in range(len(utterances)):
        example, spoken = some[index], plain[index]
        assert len(example.features) == len(spoken.features)
        said_nothing = len(example.targets) == 0
        assert torch.equal(example.features, spoken.features) != said_nothing
        assert said_nothing or torch.equal(example.targets, spoken.targets)
    assert 0 < sum(len(some[index].targets) == 0 for index in range(len(utterances))) < len(utterances)


def test_in_the_place_of_stored_features_those_of_noise_are_computed(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((30, 13), np.float32))
    stored = Utterance(None, 0.3, "ab", features_filepath=str(tmp_path / "a.npy"))
    noisy, plain = (dataset([stored], augment=AugmentSettings(speechless_probability=p)) for p in (1.0, 0.0))
    assert (len(noisy[0].targets), len(plain[0].targets)) == (0, 2)
    assert len(noisy[0].features) == pytest.approx(len(plain[0].features), abs=3)
    assert not plain[0].features[:, :13].any()  # all frames are alike: what is normalised is nothing
    spread = []
    for noisy.epoch in range(40):
        spread.append(float(noisy[0].features[:, 0].std()))
    zeros = [one for one in spread if one == 0]
    assert 3 <= len(zeros) <= 20
    assert all(one > 0.5 for one in spread if one not in zeros)


def test_a_batch_may_hold_what_says_nothing(utterances):
    data = dataset(utterances, augment=AugmentSettings(speechless_probability=0.5))
    batch = collate([data[index] for index in range(len(utterances))])
    assert 0 in batch.target_lengths
    log_probs = torch.randn(len(utterances), int(batch.feature_lengths.max()), len(VOCABULARY)).log_softmax(
        -1
    )
    losses = ctc_losses(log_probs, batch.feature_lengths, batch.targets, batch.target_lengths)
    blanks = log_probs[:, :, 0]
    for index in torch.nonzero(batch.target_lengths == 0).flatten().tolist():
        expected = -blanks[index, : batch.feature_lengths[index]].sum()
        assert losses[index].item() == pytest.approx(expected.item(), rel=1e-5)


def test_audio_that_is_missing_is_named_when_it_is_asked_for(utterances):
    data = dataset([dataclasses.replace(utterances[0], audio_filepath="/nowhere/a.wav")])
    with pytest.raises(AudioError, match=r"/nowhere/a\.wav"):
        data[0]


def collapse(path: tuple[int, ...]) -> list[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol]


@pytest.mark.parametrize("labels", [list(p) for n in range(5) for p in itertools.product((1, 2), repeat=n)])
def test_the_frames_that_a_text_needs_are_those_of_its_shortest_path(labels):
    shortest = next(
        length
        for length in itertools.count()
        if any(collapse(path) == labels for path in itertools.product((0, 1, 2), repeat=length))
    )
    assert frames_needed(labels) == shortest


def clip(text: str, seconds: float = 1.0) -> Utterance:
    return Utterance(f"/clips/{text or 'empty'}.wav", seconds, text)


def why_skipped(utterances, stride=2, shortening=1.0) -> dict[str, str]:
    front_end = FrontEnd(FEATURES)
    _, skipped = trainable(utterances, front_end, stride, VOCABULARY, TextSettings(), shortening)
    return {utterance.text: reason for utterance, reason in skipped}


def test_what_cannot_be_trained_on_is_named_with_its_reason():
    # 0.105 s are 9 frames, 5 after stride 2: "abcda" fits, "aab" needs 4, "aabb a" needs 8.
    texts = ["abcda", "aab", "aabb a", "", "..", "abcdab"]
    reasons = why_skipped([clip(text, 0.105) for text in texts])
    assert list(reasons) == ["aabb a", "", "..", "abcdab"]
    assert reasons["aabb a"].startswith("its text needs 8 frames and the model has 5; use a smaller")
    assert reasons[""] == reasons[".."] == "its text is empty"
    assert "needs 6" in reasons["abcdab"]


def test_a_faster_speed_leaves_fewer_frames():
    assert why_skipped([clip("abcda", 0.105), clip("a")], shortening=1.0) == {}
    assert list(why_skipped([clip("abcda", 0.105), clip("a")], shortening=1.5)) == ["abcda"]


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_what_is_kept_has_a_finite_loss_and_what_is_skipped_has_none(stride):
    texts = ["a", "ab", "aa", "abcd", "aabb", "ab ab ab", "aaaaa", "abcdabcdabcd"]
    skipped = why_skipped([clip(text, 0.105) for text in texts], stride)
    num_frames = -(-FEATURES.num_frames(840) // stride)
    log_probs = torch.zeros(num_frames, 1, len(VOCABULARY)).log_softmax(dim=-1)
    for text in texts:
        targets = torch.tensor([VOCABULARY.encode(text)])
        lengths = torch.tensor([num_frames]), torch.tensor([targets.shape[1]])
        loss = torch.nn.functional.ctc_loss(log_probs, targets, *lengths)
        assert bool(loss.isfinite()) == (text not in skipped)


def test_nothing_left_is_an_error_that_names_the_first():
    with pytest.raises(ManifestError, match=r"/clips/empty.wav: its text is empty"):
        why_skipped([clip(""), clip("..")])


def test_a_text_outside_the_vocabulary_names_its_utterance():
    with pytest.raises(VocabularyError, match=r"/clips/xyz.wav: .*'x'"):
        why_skipped([clip("a"), clip("xyz")])


def test_unknown_characters_are_an_error_that_names_them_or_are_counted():
    vocabulary = Vocabulary.build(["ab ba"])
    utterances = [Utterance("/one.wav", 1.0, "ab"), Utterance("/two.wav", 1.0, "abbé é")]
    with pytest.raises(
        VocabularyError, match=r"/two\.wav: .*'é' \(U\+00E9 LATIN SMALL LETTER E WITH ACUTE\)"
    ):
        count_unknown(utterances, vocabulary, TextSettings())
    assert count_unknown(utterances, vocabulary, TextSettings(unknown="skip")) == {"é": 2}


def test_a_lost_recording_is_named_and_the_rest_stays(tmp_path):
    (tmp_path / "here.wav").write_bytes(b"")
    here, gone = (Utterance(str(tmp_path / name), 1.0, "a") for name in ("here.wav", "gone.wav"))
    assert split_missing([here, gone]) == ([here], [(gone, "its file is missing")])
