import dataclasses
from itertools import groupby, product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr import audio
from asr.corpus.build import build
from asr.corpus.check import Requirements, check
from asr.features import FeatureSettings
from asr.manifest import Utterance
from asr.text import TextSettings, Vocabulary

REQUIREMENTS = Requirements(FeatureSettings(), stride=4, text=TextSettings())


@pytest.fixture
def utterance(write_audio):
    """A function that makes a good utterance of its own length, so that no two have the same audio."""
    lengths = (1 + number / 100 for number in range(100))

    def make(name: str, text: str = "hello there", seconds: float | None = None, **fields) -> Utterance:
        path = write_audio(name, seconds or next(lengths))
        return Utterance(str(path), **{"duration": audio.duration(path), "text": text, **fields})

    return make


def kinds(defects) -> list[tuple[int, str]]:
    return [(defect.index, defect.kind) for defect in defects]


def only(defects):
    """The one defect that there must be."""
    assert len(defects) == 1, defects
    return defects[0]


def test_a_good_corpus_has_no_defect(utterance):
    train = [utterance("a.wav", "one two", speaker="x"), utterance("b.flac", "two one", speaker="y")]
    dev = [utterance("c.ogg", "one one", speaker="z")]
    vocabulary = Vocabulary.build(["one two"])
    for requirements in (None, REQUIREMENTS, dataclasses.replace(REQUIREMENTS, vocabulary=vocabulary)):
        assert check({"train": train, "dev": dev}, requirements) == []


def test_missing_foreign_truncated_nan_and_silent_audio(utterance, tmp_path):
    bad = {name: utterance(f"{name}.wav") for name in ("missing", "text", "nan", "silent")}
    Path(bad["missing"].audio_filepath).unlink()
    Path(bad["text"].audio_filepath).write_text("this is no audio")
    samples = np.full(16000, 0.1, np.float32)
    samples[8000] = np.nan
    soundfile.write(bad["nan"].audio_filepath, samples, 16000, subtype="FLOAT")
    soundfile.write(bad["silent"].audio_filepath, np.zeros(16000), 16000)
    bad["truncated"] = utterance("truncated.flac", seconds=3.0)
    path = Path(bad["truncated"].audio_filepath)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    defects = check({"train": [utterance("good.wav"), *bad.values()]})
    assert {defect.utterance for defect in defects} == {one.name for one in bad.values()}
    assert {defect.severity for defect in defects} == {"error"}
    messages = {Path(defect.utterance).stem: defect.message for defect in defects if defect.kind == "audio"}
    assert set(messages) == set(bad)
    assert "0.500 s is not a finite number" in messages["nan"]
    assert "digital silence" in messages["silent"]
    assert "No such file" in messages["missing"]
    assert all(str(tmp_path) not in message for message in messages.values())


@pytest.mark.parametrize(
    ("seconds", "stated", "wrong"),
    [
        (1.0, 1.0, False),
        (1.0, 1.015, False),
        (1.0, 1.03, True),
        (1.0, 0.97, True),
        (0.2, 0.205, False),
        (0.2, 0.22, True),
        (20.0, 20.09, False),
        (20.0, 20.2, True),
        (1.0, 60.0, True),
    ],
)
def test_wrong_durations(utterance, seconds, stated, wrong):
    one = utterance("a.wav", "a" * round(5 * seconds), seconds=seconds, duration=stated)
    assert kinds(check({"train": [one]})) == ([(0, "duration")] if wrong else [])


def test_segments_must_lie_inside_their_file(utterance):
    whole = utterance("a.wav", seconds=3.0)
    inside, begins, over, beyond = (
        dataclasses.replace(whole, offset=offset, duration=duration, text="hello there")
        for offset, duration in ((1.0, 2.0), (0.0, 1.0), (2.0, 2.0), (5.0, 1.0))
    )
    assert kinds(check({"train": [inside, begins, over]})) == [(2, "segment"), (2, "overlap")]
    assert kinds(check({"train": [beyond]})) == [(0, "segment")]
    assert check({"train": [begins]}) == []
    # Without an offset, what ends early is not a segment but a wrong duration.
    assert kinds(check({"train": [dataclasses.replace(begins, offset=None)]})) == [(0, "duration")]


def test_empty_texts_also_those_of_punctuation_alone(utterance):
    defects = check({"train": [utterance("a.wav", ""), utterance("b.wav", "..."), utterance("c.wav", "c")]})
    assert kinds(defects) == [(0, "text"), (1, "text")]
    assert "'...'" in defects[1].message


def collapse(path: tuple[str, ...]) -> str:
    """What CTC makes of one symbol a frame: repeats merge, then blanks go."""
    return "".join(symbol for symbol, _ in groupby(path) if symbol != "-")


@pytest.mark.parametrize("text", ["a", "ab", "aa", "aba", "aab", "aaa", "abba"])
def test_text_fits_its_frames_exactly_when_ctc_has_an_alignment(utterance, text):
    stride, hop, window = 4, 160, 400
    for num_outputs in range(1, 7):
        num_frames = (num_outputs - 1) * stride + 1
        samples = window + (num_frames - 1) * hop
        one = utterance(f"{num_outputs}.wav", text, seconds=samples / 16000)
        feasible = any(collapse(path) == text for path in product("ab-", repeat=num_outputs))
        found = [defect for defect in check({"train": [one]}, REQUIREMENTS) if defect.kind == "frames"]
        assert bool(found) != feasible, (text, num_outputs)


def test_frames_are_the_models_and_without_one_they_are_not_checked(utterance):
    train = [utterance("a.wav", "three twelve", seconds=0.4)]
    defect = only(check({"train": train}, REQUIREMENTS))
    assert defect.kind == "frames"
    assert "needs 13 frames of output and its 0.40 s give 10 at a stride of 4" in defect.message
    assert check({"train": train}, dataclasses.replace(REQUIREMENTS, stride=2)) == []
    assert check({"train": train}) == []


@pytest.mark.parametrize(
    ("text", "seconds", "wrong"),
    [
        ("a" * 100, 2.0, True),
        ("a" * 60, 2.0, False),
        ("yes", 4.0, True),
        ("yes", 1.9, False),
        ("seven", 0.2, False),
    ],
)
def test_extreme_speaking_rates(utterance, text, seconds, wrong):
    defects = check({"train": [utterance("a.wav", text, seconds=seconds)]})
    assert kinds(defects) == ([(0, "rate")] if wrong else [])


def test_characters_that_the_training_text_or_the_vocabulary_lacks(utterance):
    train, test = [utterance("a.wav", "Hello, there")], [utterance("b.wav", "hello thére")]
    defect = only(check({"train": train, "test": test}))
    assert (defect.manifest, defect.kind, defect.severity) == ("test", "characters", "error")
    assert "'é' (U+00E9)" in defect.message
    model = dataclasses.replace(REQUIREMENTS, vocabulary=Vocabulary.build(["hello thér"]))
    assert check({"train": train, "test": test}, model) == []
    model = dataclasses.replace(REQUIREMENTS, vocabulary=Vocabulary.build(["hel ther"]))
    assert kinds(check({"train": train}, model)) == [(0, "characters")]


def test_a_model_that_skips_unknown_characters_makes_them_a_warning(utterance):
    text = TextSettings(unknown="skip")
    model = Requirements(FeatureSettings(), 4, text, Vocabulary.build(["helo"], text))
    assert check({"test": [utterance("a.wav", "hello")]}, model) == []
    defects = check({"test": [utterance("b.wav", "hello x")]}, model)
    assert [(defect.kind, defect.severity) for defect in defects] == [("characters", "warning")]


def test_the_same_audio_twice_even_in_another_lossless_file(utterance, tmp_path):
    first = utterance("a.wav", "one two", seconds=1.0)
    samples, rate = soundfile.read(first.audio_filepath, dtype="int16")
    soundfile.write(tmp_path / "copy.flac", samples, rate)
    copy = dataclasses.replace(first, audio_filepath=str(tmp_path / "copy.flac"))
    other_text = dataclasses.replace(copy, text="two one")
    defect = only(check({"train": [first, copy]}))
    assert (defect.index, defect.kind) == (1, "duplicate")
    assert defect.message.startswith(f"the same audio as {first.name};")
    defect = only(check({"train": [first], "test": [other_text]}))
    assert (defect.manifest, defect.kind) == ("test", "duplicate")
    assert f"{first.name} in train, with another text" in defect.message


def test_segments_that_share_sound_are_a_warning(utterance):
    whole = utterance("a.wav", seconds=3.0)
    first, touching, over = (
        dataclasses.replace(whole, offset=offset, duration=1.0, text="hello there")
        for offset in (0.0, 1.0, 1.7)
    )
    (defect,) = check({"train": [over, first, touching]})
    assert (defect.index, defect.kind, defect.severity) == (0, "overlap", "warning")
    assert "0.30 s" in defect.message


def test_segments_of_one_file_are_not_duplicates_but_the_same_segment_is(utterance):
    whole = utterance("a.wav", seconds=3.0)
    first, second = (dataclasses.replace(whole, offset=offset, duration=1.0) for offset in (0.5, 1.5))
    assert check({"train": [first, second]}) == []
    assert kinds(check({"train": [first, second, first]})) == [(2, "duplicate")]


def test_a_speaker_on_two_sides_is_one_error_and_shared_sentences_one_warning(utterance):
    train = [utterance(f"{n}.wav", f"sentence {'ab'[n % 2]}", speaker=f"s{n}") for n in range(4)]
    test = [
        utterance(f"t{n}.wav", "Sentence A.", speaker=speaker)
        for n, speaker in enumerate(["new", "s1", "s1"])
    ]
    defects = check({"train": train, "test": test})
    assert [(one.manifest, one.index, one.kind, one.severity) for one in defects] == [
        ("test", 0, "sentence", "warning"),
        ("test", 1, "speaker", "error"),
    ]
    assert (
        "sentences of train stand in 3 of 3 utterances here (1 sentence, 'sentence a'" in defects[0].message
    )
    assert "speaker s1 (2 utterances here) is in train too" in defects[1].message


def test_precomputed_features(tmp_path):
    features = np.random.default_rng(0).normal(size=(100, 13)).astype(np.float32)
    np.save(tmp_path / "good.npy", features)
    np.save(tmp_path / "wide.npy", np.zeros((100, 20), np.float32))
    settings = FeatureSettings(num_coefficients=13)
    good, wide, missing = (
        Utterance(None, 1.0, "hello", features_filepath=str(tmp_path / name))
        for name in ("good.npy", "wide.npy", "missing.npy")
    )
    wrong = dataclasses.replace(good, duration=3.0)
    requirements = Requirements(settings, 4, TextSettings())
    assert check({"train": [good]}) == check({"train": [good]}, requirements) == []
    assert kinds(check({"train": [good, missing]})) == [(1, "audio")]
    assert kinds(check({"train": [good, wide, missing]}, requirements)) == [(1, "audio"), (2, "audio")]
    assert kinds(check({"train": [wrong]}, requirements)) == [(0, "duration")]
    assert kinds(check({"train": [dataclasses.replace(good, text="a" * 26)]}, requirements)) == [
        (0, "frames")
    ]


def test_defects_come_in_the_order_of_the_manifests(utterance):
    bad = [utterance("a.wav", ""), utterance("b.wav"), utterance("c.wav", "", duration=9.0)]
    other = [utterance("d.wav", "")]
    assert [(one.manifest, one.index) for one in check({"z": bad, "a": other})] == [
        ("z", 0),
        ("z", 2),
        ("z", 2),
        ("a", 0),
    ]


def test_speechocean762_does_not_drown_in_false_alarms(corpora):
    utterances = build(corpora / "speechocean762" / "test").utterances[::10]
    assert check({"test": utterances}, REQUIREMENTS) == []


def test_digits_at_stride_4_lose_the_eighteen_that_are_too_short(corpora):
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    digits = [
        Utterance(str(path), audio.duration(path), names[int(path.name[0])])
        for path in audio.find(corpora / "fsdd" / "recordings")
    ]
    settings = FeatureSettings(sample_rate=8000, window_length=200, hop_length=80, fft_length=256)
    defects = check({"all": digits}, Requirements(settings, 4, TextSettings()))
    assert {defect.kind for defect in defects} == {"frames"}
    assert len(defects) == 18
    assert check({"all": digits}, Requirements(settings, 2, TextSettings())) == []
