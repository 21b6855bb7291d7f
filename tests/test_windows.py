"""Long recordings in windows: the same words at the same times as of all at once, none lost or doubled at a seam."""

import dataclasses
import io
import platform
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import FEATURES, RATE, SMALL, VOCABULARY, Mumbling, ToneModel, random_model, random_texts, utter

from asr import windows
from asr.decoding import BeamDecoder, decode_greedy
from asr.errors import AsrError
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.types import Hypothesis, Transcript, Word
from asr.windows import Grid, WindowSettings

SHORT = WindowSettings(window=3.0, overlap=1.4, search=0.4, piece=2.0)
TEXT = " ".join(random_texts(12, seed=3))
SOUND = utter(TEXT)
SYMBOLS = VOCABULARY.symbols


def recognizers(**options) -> tuple[Recognizer, Recognizer]:
    """One that hears windows, and one that hears all at once."""
    return (
        Recognizer(ToneModel(), VOCABULARY, window_settings=SHORT, **options),
        Recognizer(ToneModel(), VOCABULARY, **options),
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), st.integers(1, 9), st.integers(0, 9))
def test_windows_overlap_and_leave_nothing_out(lengths, step, overlap):
    signal = np.arange(sum(lengths), dtype=np.float32)
    blocks = np.split(signal, np.cumsum(lengths)[:-1])
    found = list(windows.overlapping(blocks, step + overlap, step))
    for number, window in enumerate(found):
        np.testing.assert_array_equal(window, signal[number * step :][: step + overlap])
    assert len(found[0]) == len(signal) or all(len(window) > overlap for window in found)
    assert (len(found) - 1) * step + len(found[-1]) == len(signal)


@pytest.mark.parametrize("length", [5, 89, 90, 91, 140, 141, 777])
def test_moments_are_those_of_the_whole_at_any_length(length, monkeypatch):
    monkeypatch.setattr(windows, "_BLOCK_FRAMES", 50)

    def features(block: np.ndarray) -> np.ndarray:
        """Wrong at the edges of a block, as deltas are."""
        return np.convolve(block, [0.3, 0.4, 0.3], "same")[:, None].astype(np.float32)

    signal = np.random.default_rng(length).normal(3, 2, length).astype(np.float32)
    num_frames, mean, variance = windows.moments(features, np.array_split(signal, 4), 1)
    whole = features(signal).astype(np.float64)
    assert num_frames == length
    np.testing.assert_allclose(mean, whole.mean(axis=0))
    np.testing.assert_allclose(variance, whole.var(axis=0), atol=1e-9)


def path_of(labels: str) -> np.ndarray:
    """log_probs of a path, "-" the blank."""
    ids = [0 if label == "-" else SYMBOLS.index(label) for label in labels.replace("_", " ")]
    scores = np.full((len(ids), len(SYMBOLS)), -9.0, np.float32)
    scores[np.arange(len(ids)), ids] = -0.01
    return scores


def read(log_probs: np.ndarray) -> str:
    return decode_greedy(log_probs, SYMBOLS, 0.01).text


def test_windows_are_joined_where_both_hear_nothing():
    # The first ends in a guess, the second begins with one, and a letter moves by a frame between them.
    grid = Grid(1, window=60, overlap=40, search=18, piece=1000)
    first = path_of("a" + "-" * 24 + "b" + "-" * 24 + "c" * 10)
    second = path_of("dddd-" + "b" + "-" * 39 + "d" + "-" * 4)
    joined = np.concatenate(list(windows.join([first, second], grid)))
    assert len(joined) == 20 + len(second)
    assert read(joined) == "abd"


def test_a_seam_may_lie_anywhere_in_what_windows_share():
    # As much to either side of the middle is searched as there is.
    grid = Grid(1, window=60, overlap=20, search=10, piece=1000)
    before, after = path_of("a" * 60), path_of("a" * 60)
    assert len(np.concatenate(list(windows.join([before, after], grid)))) == 100


def test_a_stream_is_cut_between_words_in_the_longest_pause():
    stream = path_of("ab-_--cd----------ab--_-----dc-_-ab-_-cd--------ab")
    pieces = list(windows.cut(np.array_split(stream, 7), SYMBOLS, 40))
    assert [read(piece) for piece in pieces] == ["ab cdab", "dc ab cdab"]
    assert np.array_equal(np.concatenate(pieces), stream)


def test_one_other_cut_changes_no_later_one():
    words = ["abcd"[: 1 + n % 4] + "-_-" + "-" * (n * 7 % 5) for n in range(60)]
    stream = path_of("".join(words))
    ends = [
        np.cumsum([len(one) for one in windows.cut([given], SYMBOLS, 60)])
        for given in (stream, stream.copy())
    ]
    assert np.array_equal(*ends)
    other = stream.copy()
    other[:50] = path_of("-" * 50)  # the first pause is now another
    changed = np.cumsum([len(one) for one in windows.cut([other], SYMBOLS, 60)])
    assert changed[0] != ends[0][0]
    assert np.array_equal(changed[1:], ends[0][1:])


def test_a_stream_without_a_space_is_cut_all_the_same():
    stream = path_of("abcd" * 30)
    pieces = list(windows.cut([stream], SYMBOLS, 32))
    assert max(map(len, pieces)) <= 32
    assert np.array_equal(np.concatenate(pieces), stream)


@pytest.mark.parametrize("decoder", [decode_greedy, BeamDecoder()])
def test_a_long_recording_has_the_words_and_times_of_the_whole(decoder):
    in_windows, at_once = recognizers(decoder=decoder)
    whole, found = (one.transcribe(SOUND, sample_rate=RATE) for one in (at_once, in_windows))
    assert len(SOUND) > 5 * SHORT.window * RATE / 2
    assert found.text == whole.text == TEXT
    assert found.duration == pytest.approx(len(SOUND) / RATE)
    for a, b in zip(found.words, whole.words, strict=True):
        assert (a.start, a.end) == pytest.approx((b.start, b.end), abs=0.03)
    parts = list(in_windows.transcribe_parts(SOUND, sample_rate=RATE))
    assert len(parts) > 2
    assert " ".join(part.text for part in parts) == TEXT


def test_every_kind_of_source_may_be_long(tmp_path):
    in_windows, _ = recognizers()
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate([utter("ab"), SOUND]), RATE)
    start = len(utter("ab")) / RATE
    expected = in_windows.transcribe(path, offset=start)
    data = io.BytesIO(path.read_bytes())
    line = Utterance(str(path), len(SOUND) / RATE, "", offset=start)
    assert expected.text == TEXT
    assert in_windows.transcribe(data, offset=start) == expected
    assert in_windows.transcribe(line) == expected
    assert next(in_windows.transcribe_all([line, path])) == expected
    (heard,) = in_windows.hear_all([line])
    assert read(heard.log_probs) == TEXT
    assert heard.seconds == pytest.approx(expected.duration)


def test_long_and_short_and_broken_recordings_in_one_batch(tmp_path):
    in_windows, _ = recognizers()
    for name, sound in (("a", utter("ab")), ("long", SOUND), ("b", utter("dc"))):
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE)
    sound = SOUND.copy()
    sound[-100] = np.nan
    soundfile.write(tmp_path / "late.wav", sound, RATE, subtype="FLOAT")
    names = ("a", "long", "late", "b", "nowhere")
    outcomes = list(in_windows.transcribe_all([tmp_path / f"{name}.wav" for name in names]))
    assert [isinstance(one, AsrError) for one in outcomes] == [False, False, True, False, True]
    assert "late.wav" in str(outcomes[2])
    assert [outcomes[index].text for index in (0, 1, 3)] == ["ab", TEXT, "dc"]


def test_what_is_heard_first_and_decoded_later_is_decoded_in_the_same_pieces(tmp_path):
    soundfile.write(tmp_path / "long.wav", SOUND, RATE, subtype="FLOAT")
    mumbling = Recognizer(Mumbling(), VOCABULARY, decoder=BeamDecoder(), window_settings=SHORT)
    (heard,) = mumbling.hear_all([tmp_path / "long.wav"])
    assert len(heard.pieces) > 1
    assert list(mumbling.decode_all([heard])) == [mumbling.transcribe(tmp_path / "long.wav")]


@pytest.mark.parametrize("edges", ["snip", "center"])
@pytest.mark.parametrize("prior", [0.0, 500.0])
def test_windows_are_normalised_by_the_whole_recording(edges, prior):
    features = dataclasses.replace(FEATURES, cmvn="utterance", cmvn_prior=prior, edges=edges)
    model = random_model(features, SMALL, loudness=3.0).acoustic
    loud = np.concatenate([SOUND, 0.01 * SOUND])
    (whole,) = Recognizer(model, VOCABULARY).hear_all([soundfile_of(loud)])
    in_windows = Recognizer(model, VOCABULARY, window_settings=WindowSettings(8.0, 4.0, 0.5, 5.0))
    (found,) = in_windows.hear_all([soundfile_of(loud)])
    assert found.log_probs.shape == whole.log_probs.shape
    np.testing.assert_allclose(found.log_probs, whole.log_probs, rtol=0, atol=0.02)


def soundfile_of(sound: np.ndarray) -> io.BytesIO:
    data = io.BytesIO()
    soundfile.write(data, sound, RATE, format="WAV", subtype="FLOAT")
    return data


def test_alternatives_of_pieces_are_put_together_best_first():
    def part(*texts: str) -> Transcript:
        words = tuple(Word(text, 0.0, 0.1, 1.0) for text in texts[:1])
        ranked = tuple(Hypothesis(text, -float(rank), words) for rank, text in enumerate(texts))
        return Transcript(texts[0], words, 0.0, 1.0, ranked)

    whole = windows.together([part("a", "b", "c"), part("", "d"), part("x", "y", "z")])
    assert (whole.text, whole.duration) == ("a x", 3.0)
    assert [one.text for one in whole.alternatives] == ["a x", "a y", "a d x"]
    assert [one.score for one in whole.alternatives] == [0.0, -1.0, -1.0]
    mumbling = Recognizer(Mumbling(), VOCABULARY, decoder=BeamDecoder(), window_settings=SHORT)
    found = mumbling.transcribe(SOUND, sample_rate=RATE, nbest=3)
    assert len({one.text for one in found.alternatives}) == 3
    assert found.alternatives[0].text == found.text


HELD = """
import numpy as np
from asr import memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

arrays = [np.ones(8000) for _ in range(2000)]
del arrays[:-1]
before = resident()
memory.give_back()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that keeps what is freed")
def test_what_lies_below_an_array_in_use_goes_back():
    run = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    assert float(run.stdout) > 100
