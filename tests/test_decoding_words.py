"""When words were said: by rules worked out by hand, and against recordings whose words have known times."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asr
from asr import audio
from asr.decoding.greedy import decode_greedy
from asr.decoding.words import DECAYED, REACH_SECONDS, RISEN, make_words

ROOT = Path(__file__).parents[1]
SYMBOLS = ("<blank>", " ", "a", "b")
FRAME = 0.1
REACH = round(REACH_SECONDS / FRAME)
HEARD, RISING, FALLING, LEAST = 0.9, 5e-4, 2e-4, 1e-4
"""The probability of any label: where one shows, around it, and in silence."""


def log_probs(frames: str) -> np.ndarray:
    """A matrix of frames: a, b and _ (the space) show, / is before speech, \\ behind it, and . is silence."""
    matrix = np.zeros((len(frames), len(SYMBOLS)))
    for row, frame in zip(matrix, frames, strict=True):
        labels = {"/": RISING, "\\": FALLING, ".": LEAST}.get(frame, HEARD)
        row[:] = [1 - labels, *[labels / 3] * 3]
        if frame in "_ab":
            row[1:] = 1e-4 * labels
            row[1 + "_ab".index(frame)] = labels
    return np.log(matrix).astype(np.float32)


def frames_of(frames: str) -> list[tuple[int, int]]:
    hypothesis = decode_greedy(log_probs(frames), SYMBOLS, FRAME)
    return [(round(word.start / FRAME), round(word.end / FRAME)) for word in hypothesis.words]


@pytest.mark.parametrize(
    ("frames", "times"),
    [
        ("../a\\..", [(2, 6)]),  # the least behind it is a part of it, the least before it is not
        ("...a...", [(3, 5)]),
        ("//ab\\\\", [(2, 5)]),  # there are no surer blanks, so these are silence
        ("ab", [(0, 2)]),
        ("/a\\._./b.", [(1, 4), (6, 9)]),
        ("a_b", [(0, 2), (2, 3)]),  # a space that shows between two words is a part of the first
        ("a._/b", [(0, 2), (2, 5)]),
        ("_a_", [(1, 3)]),
        ("", []),
        ("._.", []),
    ],
)
def test_a_word_begins_where_labels_rise_and_ends_where_they_have_fallen(frames, times):
    assert RISEN * LEAST < RISING
    assert DECAYED * LEAST < FALLING < RISEN * LEAST
    assert frames_of(frames) == times


def test_a_word_is_heard_for_so_long_and_no_longer():
    rising, falling = "/" * (REACH + 3), "\\" * (REACH + 3)
    ((start, end),) = frames_of("." + rising + "a" + falling + ".")
    # Within reach there is nothing but rising and falling: of equal blanks the nearest are silence.
    assert (start, end) == (1 + len(rising), 1 + len(rising) + 2)
    ((start, end),) = frames_of("." + rising[: REACH - 1] + "a" + falling[: REACH - 1] + ".")
    assert (start, end) == (1, 2 * REACH + 1)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([0.01, 0.02, 0.1, 1.0]))
def test_words_are_in_order_inside_and_never_over_each_other(num_frames, seed, frame_seconds):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (num_frames, len(SYMBOLS)))
    logits[rng.random(logits.shape) < 0.1] = -np.inf
    logits[:, rng.integers(len(SYMBOLS))] = 0.0
    matrix = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    words = decode_greedy(matrix, SYMBOLS, frame_seconds).words
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(word.start < word.end for word in words)
    assert all(0 <= time <= num_frames * frame_seconds * (1 + 1e-9) for time in times)


def test_every_letter_is_within_its_word():
    labels, spans = [2, 3, 1, 2], [(0, 2), (5, 6), (7, 8), (9, 12)]
    first, second = make_words(labels, spans, np.log(np.full((14, 4), 0.25)), SYMBOLS, 1.0)
    assert (first.text, second.text) == ("ab", "a")
    assert first.start <= 0 < 6 <= first.end <= second.start <= 9 < 12 <= second.end


@pytest.fixture(scope="module")
def digits() -> asr.Recognizer:
    return asr.load("digits-en", device="cpu")


def speech_of(waveform: np.ndarray, rate: int) -> tuple[float, float]:
    """Where a clean recording is first and last louder than a fiftieth of its loudest 10 ms, in seconds."""
    frame = rate // 100
    levels = np.sqrt(np.mean(waveform[: len(waveform) // frame * frame].reshape(-1, frame) ** 2, axis=1))
    loud = np.flatnonzero(levels > levels.max() / 50)
    return loud[0] / 100, (loud[-1] + 1) / 100


def test_synthesised_speech_begins_and_ends_where_it_is_heard(digits):
    errors = []
    for utterance in asr.read_manifest(ROOT / "recipes" / "demo" / "samples" / "samples.jsonl"):
        waveform = audio.load(utterance.audio_filepath, 8000)
        words = digits.transcribe(waveform, sample_rate=8000).words
        start, end = speech_of(waveform, 8000)
        errors.append((words[0].start - start, words[-1].end - end))
    assert np.median(np.abs(errors), axis=0).max() <= 0.05


def test_connected_digits_have_their_times_within_50_ms(corpora, digits):
    spec = importlib.util.spec_from_file_location("fsdd_prepare", ROOT / "recipes" / "fsdd" / "prepare.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    recordings, rng = recipe.split(recipe.find_recordings(corpora / "fsdd"))["dev"], np.random.default_rng(5)
    errors, num_words = [], 0
    for members in recipe.draw_strings(recordings, 60, rng):
        waveform, joins = recipe.join([audio.load(member.path, 8000) for member in members], rng)
        transcript = digits.transcribe(waveform, sample_rate=8000)
        num_words += len(joins)
        if transcript.text == " ".join(recipe.DIGITS[member.digit] for member in members):
            errors += [
                (word.start - start, word.end - end)
                for word, (start, end) in zip(transcript.words, joins, strict=True)
            ]
    assert len(errors) > 0.9 * num_words
    assert np.median(np.abs(errors), axis=0).max() <= 0.05
