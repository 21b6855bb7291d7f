"""Error rates by what is known of utterances, and where errors come from."""

from collections import Counter

import numpy as np
import pytest
import soundfile
from evaluations import evaluation

from asr.errors import ManifestError
from asr.evaluation.diagnosis import calibration, changed_words, frequencies, greedy, oracle
from asr.evaluation.groups import NONE, group_by
from asr.evaluation.ids import utterance_ids
from asr.evaluation.snr import MOST, estimate_snr
from asr.manifest import Member, Utterance, read_manifest, write_manifest

RATE = 16000


def test_keys_of_the_manifest_survive_and_group(tmp_path):
    path = tmp_path / "test.jsonl"
    write_manifest(
        path, [Utterance(f"/c/{n}.wav", 1.0, "one", extra={"gender": g}) for n, g in enumerate("fmf")]
    )
    extras = [utterance.extra for utterance in read_manifest(path)]
    groups = group_by(evaluation([("one", "one"), ("one", "two"), ("one", "one")], extras=extras), "gender")
    assert [(group.label, group.utterances, group.words.errors) for group in groups] == [
        ("m", 1, 1),
        ("f", 2, 0),
    ]


def test_few_numbers_are_groups_and_many_are_quarters():
    rows = [("a b", "a")] * 40
    few = group_by(evaluation(rows, extras=[{"age": number % 3} for number in range(40)]), "age")
    assert [group.label for group in few] == ["0", "1", "2"]
    many = group_by(evaluation(rows, extras=[{"snr": number / 2} for number in range(40)]), "snr")
    assert [group.utterances for group in many] == [10, 10, 10, 10]
    assert [group.label for group in many] == ["up to 4.5", "4.5 to 9.5", "9.5 to 14.5", "above 14.5"]
    assert sum(group.words.errors for group in many) == 40


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([20240101, 20240102, 20240101.0], ["20240101", "20240102"]),
        ([1700000000000000001, 1700000000000000002], ["1700000000000000001", "1700000000000000002"]),
        ([0.1234561, 0.1234562, 2.5], ["0.1234561", "0.1234562", "2.5"]),
        ([1 / 3, 0.9, 0.9000000000000001], ["0.333333", "0.9"]),
        (
            range(20240101, 20240113),
            ["up to 20240103", "20240103 to 20240106", "20240106 to 20240109", "above 20240109"],
        ),
        (
            [1000.0001 + step / 10000 for step in range(12)],
            ["up to 1000.0003", "1000.0003 to 1000.0006", "1000.0006 to 1000.0009", "above 1000.0009"],
        ),
        (
            [10.03, 10.04, 10.11, 31.2, 31.9, 32.0, 47.3, 47.4, 47.5, 70.1, 70.2, 70.3],
            ["up to 20", "20 to 40", "40 to 50", "above 50"],
        ),
    ],
)
def test_labels_say_what_they_divide_in_few_digits(values, labels):
    rows = [("a", "a")] * len(values)
    groups = group_by(evaluation(rows, extras=[{"date": value} for value in values]), "date")
    assert [group.label for group in groups] == labels
    if len(values) == 12:
        assert [group.utterances for group in groups] == [3, 3, 3, 3]


def test_many_of_the_greatest_number_and_infinity_are_groups():
    values = [*range(9), *[9] * 40]
    groups = group_by(evaluation([("a", "a")] * 49, extras=[{"n": value} for value in values]), "n")
    assert [group.utterances for group in groups] == [49]
    values = [*map(float, range(12)), float("inf"), float("-inf")]
    groups = group_by(evaluation([("a", "a")] * 14, extras=[{"n": value} for value in values]), "n")
    assert [group.utterances for group in groups] == [3, 4, 3, 4]


@pytest.mark.parametrize("known", [[3, 4], ["f", "m"], range(20)])
def test_nan_is_not_known(known):
    values = [*known, float("nan"), None]
    groups = group_by(evaluation([("a", "a")] * len(values), extras=[{"age": one} for one in values]), "age")
    assert {group.label: group.utterances for group in groups}[NONE] == 2
    assert not any("nan" in group.label for group in groups)


def test_what_lacks_a_field_is_a_group_of_its_own():
    groups = group_by(evaluation([("a", "a"), ("a", "b")], extras=[{"age": 3}, {}]), "age")
    assert [group.label for group in groups] == ["3", NONE]


def test_a_field_that_nobody_has_is_refused_and_others_are_named():
    with pytest.raises(
        ManifestError, match="'agee'; there is age, confidence, duration, rate, snr, speaker, words"
    ):
        group_by(evaluation([("a", "a")], extras=[{"age": 3}]), "agee")


def test_length_rate_and_confidence_are_known_unasked():
    made = evaluation([("a b c d", "a b"), ("a", "a")])
    assert [group.label for group in group_by(made, "words")] == ["1", "4"]
    assert [group.label for group in group_by(made, "rate")] == ["2"]
    assert [group.label for group in group_by(made, "confidence")] == ["0.9"]


@pytest.mark.parametrize("level", [5.0, 15.0, 30.0])
def test_the_noise_of_a_recording_is_guessed(tmp_path, level):
    rng = np.random.default_rng(2)
    speech = rng.normal(0, 0.1, 2 * RATE) * np.repeat([1, 0, 1, 0], RATE // 2)
    noisy = speech + rng.normal(0, 0.1 * 10 ** (-level / 20), len(speech))
    soundfile.write(tmp_path / "a.wav", noisy, RATE, subtype="FLOAT")
    assert estimate_snr(Utterance(str(tmp_path / "a.wav"), 2.0, "")) == pytest.approx(level, abs=2.0)


def test_noise_that_cannot_be_guessed_is_none(tmp_path):
    assert estimate_snr(Utterance(None, 1.0, "")) is None
    assert estimate_snr(Utterance(str(tmp_path / "nowhere.wav"), 1.0, "")) is None
    soundfile.write(tmp_path / "short.wav", np.zeros(10), RATE)
    assert estimate_snr(Utterance(str(tmp_path / "short.wav"), 1.0, "")) is None
    soundfile.write(tmp_path / "clean.wav", np.repeat([0, 0.5], RATE), RATE)
    assert estimate_snr(Utterance(str(tmp_path / "clean.wav"), 2.0, "")) == MOST


def test_confidences_promise_what_they_keep():
    found = calibration(evaluation([("a b c d", "a b c x"), ("e", "e")]))
    (only,) = found.bins
    assert (only.count, only.accuracy) == (5, 0.8)
    assert found.error == pytest.approx(0.1)
    assert calibration(evaluation([("a", "")])) is None


def test_errors_by_how_often_the_training_text_has_the_word():
    training = Counter({"often": 20, "once": 1})
    found = frequencies(
        evaluation([("often once never", "often once nevver"), ("never often", "never")]), training
    )
    assert [(one.least, one.most, one.words, one.errors) for one in found if one.words] == [
        (0, 0, 2, 1),
        (1, 9, 1, 0),
        (10, 99, 2, 1),
    ]


def test_the_best_of_the_list_is_what_rescoring_could_reach():
    made = evaluation([("one two", "one too")], alternatives=("one too", "won two", "one two"))
    assert oracle(made).errors == 0
    assert oracle(evaluation([("one", "two")])) is None


def test_what_the_decoder_changed_against_greedy():
    made = evaluation([("one two", "one two"), ("one", "won")], greedy="one")
    before = greedy(made)
    assert before.words.errors == 1
    found = changed_words(before, made)
    assert (found.fixed, found.broken) == ({("two", None): 1}, {("one", "won"): 1})
    assert greedy(evaluation([("one", "one")])) is None


def test_ids_are_the_manifests_or_made_of_names():
    own = [Utterance("/c/a.wav", 1.0, "", extra={"id": one}) for one in ("u 1", "u(2)", "u 1")]
    assert utterance_ids(own) == ["u_1", "u_2_", "u_1#2"]
    files = [Utterance("/c/x/a.wav", 1.0, ""), Utterance("/c/y/b.flac", 1.0, "")]
    assert utterance_ids(files) == ["a", "b"]
    same = [Utterance("/c/x/a.wav", 1.0, ""), Utterance("/c/y/a.wav", 1.0, "")]
    assert utterance_ids(same) == ["x/a.wav", "y/a.wav"]
    segments = [Utterance("/c/a.wav", 1.5, "", offset=start) for start in (0.0, 1.5)]
    assert utterance_ids(segments) == ["a-0000000-0001500", "a-0001500-0003000"]
    shard = [Utterance("/c/s.tar", 1.0, "", member=Member(name, 0, 1)) for name in ("p.wav", "q.wav")]
    assert utterance_ids(shard) == ["p", "q"]
    assert utterance_ids([]) == []
