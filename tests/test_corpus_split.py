import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.corpus.split import KEYS, folds, portion, split, split_fittingly
from asr.errors import ManifestError
from asr.manifest import Utterance

NAMES = ("train", "dev", "test")


def corpus(durations_by_speaker: dict[str, list[float]]) -> list[Utterance]:
    return [
        Utterance(f"/{speaker}/{index}.wav", duration, f"sentence {index}", speaker=speaker)
        for speaker, durations in durations_by_speaker.items()
        for index, duration in enumerate(durations)
    ]


def seconds(utterances: list[Utterance]) -> float:
    return math.fsum(utterance.duration for utterance in utterances)


TEN_SPEAKERS = corpus({f"s{number}": [2.0, 3.0, 5.0] for number in range(10)})

CORPORA = st.lists(st.lists(st.floats(0.1, 20), min_size=1, max_size=4), min_size=3, max_size=15).map(
    lambda groups: corpus({f"s{number}": durations for number, durations in enumerate(groups)})
)


@given(CORPORA, st.sampled_from(sorted(KEYS)), st.integers(0, 5), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_every_utterance_is_in_one_split_and_no_group_is_divided(utterances, by, seed, dev, test):
    if len({KEYS[by](utterance) for utterance in utterances}) < 3:
        return
    parts = split(utterances, by=by, dev=dev, test=test, seed=seed)
    assert tuple(parts) == NAMES
    assert all(parts.values())
    assert sorted(one.name for part in parts.values() for one in part) == sorted(
        one.name for one in utterances
    )
    keys = [{KEYS[by](utterance) for utterance in part} for part in parts.values()]
    assert sum(map(len, keys)) == len(set.union(*keys))


@given(CORPORA, st.integers(0, 5))
def test_no_single_group_of_train_would_bring_test_nearer_to_its_fraction(utterances, seed):
    parts = split(utterances, dev=0, test=0.3, seed=seed)
    if len({one.speaker for one in parts["train"]}) == 1 or len({one.speaker for one in parts["test"]}) == 1:
        return  # neither may be empty, whatever the fraction
    missing = 0.3 * seconds(utterances) - seconds(parts["test"])
    for speaker in {utterance.speaker for utterance in parts["train"]}:
        group = seconds([utterance for utterance in utterances if utterance.speaker == speaker])
        assert abs(missing - group) >= abs(missing) - 1e-9


def test_equal_speakers_meet_the_fractions_exactly():
    parts = split(TEN_SPEAKERS, dev=0.1, test=0.2)
    assert {name: seconds(part) for name, part in parts.items()} == {"train": 70.0, "dev": 10.0, "test": 20.0}


def test_the_seed_decides_and_the_order_of_the_manifest_does_not():
    shuffled = random.Random(0).sample(TEN_SPEAKERS, len(TEN_SPEAKERS))
    by_seed = [split(TEN_SPEAKERS, seed=seed) for seed in range(6)]
    assert split(TEN_SPEAKERS, seed=3) == by_seed[3]
    assert {one.name for one in split(shuffled, seed=3)["test"]} == {one.name for one in by_seed[3]["test"]}
    assert len({parts["test"][0].speaker for parts in by_seed}) > 1


def test_each_split_keeps_the_manifest_order():
    for part in split(TEN_SPEAKERS, by="utterance", dev=0.3, test=0.3).values():
        assert [TEN_SPEAKERS.index(one) for one in part] == sorted(TEN_SPEAKERS.index(one) for one in part)


def test_sentences_are_the_same_whatever_their_case_and_punctuation():
    utterances = [
        Utterance(f"/{n}.wav", 1.0, text) for n, text in enumerate(["Yes.", "no", "yes", "No!", "so"])
    ]
    parts = split(utterances, by="sentence", dev=0.2, test=0.2)
    sides = {one.text.lower().strip(".!"): name for name, part in parts.items() for one in part}
    assert all(sides[one.text.lower().strip(".!")] == name for name, part in parts.items() for one in part)
    assert all(parts.values())


def test_groups_larger_than_the_fraction_still_leave_no_split_empty():
    parts = split(corpus({"a": [50.0], "b": [20.0], "c": [30.0]}), dev=0.01, test=0.01)
    assert {name: [one.speaker for one in part] for name, part in parts.items()} == {
        "train": ["a"],
        "dev": ["c"],
        "test": ["b"],
    }


def test_a_fraction_of_zero_makes_no_split():
    assert tuple(split(TEN_SPEAKERS, dev=0, test=0.2)) == ("train", "test")
    assert tuple(split(TEN_SPEAKERS, dev=0, test=0)) == ("train",)


@pytest.mark.parametrize(
    ("utterances", "options", "reason"),
    [
        (corpus({"a": [1.0], "b": [1.0]}), {}, "2 speakers cannot fill 3 splits"),
        (corpus({"a": [1.0]}), {}, "^1 speaker cannot fill 3 splits"),
        ([Utterance("/a.wav", 1.0, "a")], {}, r"/a\.wav: no speaker is known.*--speaker-from"),
        (TEN_SPEAKERS, {"dev": 0.5, "test": 0.5}, "leave some to train on"),
        (TEN_SPEAKERS, {"dev": -0.1}, "leave some to train on"),
        (TEN_SPEAKERS, {"dev": math.nan}, "leave some to train on"),
    ],
)
def test_what_cannot_be_split_says_why(utterances, options, reason):
    with pytest.raises(ManifestError, match=reason):
        split(utterances, **options)


def talk(speakers: int, sentences: int, each: int, seconds: float = 6.0) -> list[Utterance]:
    """``each`` utterances of every speaker, who take turns with so many sentences; speakers of 0 are not known."""
    return [
        Utterance(
            f"/{speaker}/{index}.wav",
            seconds,
            f"sentence {(speaker * each + index) % sentences}",
            speaker=f"s{speaker}" if speakers else None,
        )
        for speaker in range(speakers or 1)
        for index in range(each)
    ]


@pytest.mark.parametrize(
    ("utterances", "by"),
    [
        (talk(20, 10_000, 30), "speaker"),
        (talk(5, 10_000, 40), "speaker"),
        (talk(4, 10_000, 40), "sentence"),
        (talk(0, 10_000, 200), "sentence"),
        (talk(0, 12, 200), "utterance"),
        (talk(20, 12, 30), "speaker"),
        (talk(0, 10_000, 5), "sentence"),
    ],
    ids=["speakers", "few speakers", "too few", "none known", "commands", "commands of many", "five files"],
)
def test_the_split_that_fits(utterances, by):
    found, parts = split_fittingly(utterances, seed=3)
    assert found == by
    keys = [{KEYS[by](utterance) for utterance in part} for part in parts.values()]
    assert sum(map(len, keys)) == len(set.union(*keys))
    assert sum(map(len, parts.values())) == len(utterances)
    assert seconds(parts["train"]) >= 0.5 * seconds(utterances)
    assert min(map(len, parts.values())) >= min(10, len(utterances) // 10, 1)


def test_one_speaker_of_whom_there_is_most_is_no_reason_to_train_on_little():
    lopsided = corpus({"most": [5.0] * 300} | {f"s{number}": [5.0] for number in range(5)})
    by, parts = split_fittingly(lopsided)
    assert by == "sentence"
    assert min(map(len, parts.values())) >= 10


def test_dev_and_test_have_twenty_minutes_at_most_and_ten_utterances_where_they_can():
    _, parts = split_fittingly(talk(0, 100_000, 6000))
    assert seconds(parts["dev"]) == pytest.approx(1200, abs=6)
    _, parts = split_fittingly(talk(0, 100_000, 50))
    assert len(parts["dev"]) == len(parts["test"]) == 10


def test_what_is_asked_for_decides():
    assert split_fittingly(TEN_SPEAKERS, by="utterance")[0] == "utterance"
    with pytest.raises(ManifestError, match="no speaker is known"):
        split_fittingly(talk(0, 100, 50), by="speaker")


@pytest.mark.parametrize(
    ("utterances", "by", "reason"),
    [
        (
            talk(0, 10, 1),
            None,
            "^1 utterance cannot fill train, dev and test, which take 3 at least; add rec",
        ),
        (talk(0, 10, 2), None, "^2 utterances cannot"),
        (talk(2, 10, 5), "speaker", "^2 speakers cannot"),
        (talk(3, 2, 5), "sentence", "^2 sentences cannot"),
    ],
)
def test_too_little_for_three_parts_says_how_much_it_takes(utterances, by, reason):
    with pytest.raises(ManifestError, match=reason) as refused:
        split_fittingly(utterances, by=by)
    assert "--" not in str(refused.value), "who asked may have no such option"


def test_portions_of_one_seed_lie_inside_one_another_whatever_the_order():
    half, quarter = (portion(TEN_SPEAKERS, share, 7) for share in (0.5, 0.25))
    assert {one.name for one in quarter} < {one.name for one in half}
    assert seconds(half) == pytest.approx(50, abs=5)
    assert {one.name for one in portion(TEN_SPEAKERS[::-1], 0.5, 7)} == {one.name for one in half}
    assert [one.name for one in portion(TEN_SPEAKERS, 0.5, 8)] != [one.name for one in half]
    assert portion(TEN_SPEAKERS, 1.0) == TEN_SPEAKERS
    assert len(portion(TEN_SPEAKERS, 0.001)) == 1


@given(CORPORA, st.integers(2, 4))
def test_folds_hold_everything_once_and_no_speaker_twice(utterances, count):
    if len(utterances) < count:
        with pytest.raises(ManifestError):
            folds(utterances, count)
        return
    parts = folds(utterances, count)
    assert len(parts) == count
    assert all(parts)
    assert sorted(map(id, (one for part in parts for one in part))) == sorted(map(id, utterances))
    speakers = [{one.speaker for one in part} for part in parts]
    if len(set().union(*speakers)) >= count:
        assert sum(map(len, speakers)) == len(set().union(*speakers))


def test_folds_are_about_equally_long():
    first, second = folds(TEN_SPEAKERS, 2)
    assert seconds(first) == seconds(second) == 50.0
