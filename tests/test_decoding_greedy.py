"""Greedy decoding against matrices whose answers were worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding import decode_greedy
from asr.errors import DecoderError

SYMBOLS = ("<blank>", " ", "a", "b")
FRAME = 0.04


def log_probs(path: str, probability: float = 0.7) -> np.ndarray:
    """A matrix whose best path is ``path``, with ``.`` for the blank."""
    columns = [".ab".find(c) if c != " " else -1 for c in path]
    matrix = np.full((len(path), len(SYMBOLS)), (1 - probability) / (len(SYMBOLS) - 1))
    for row, column in zip(matrix, columns, strict=True):
        row[{-1: 1, 0: 0, 1: 2, 2: 3}[column]] = probability
    return np.log(matrix).astype(np.float32)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ab", "ab"),
        ("aaabb", "ab"),
        ("a.a", "aa"),
        (".a..bb.", "ab"),
        ("a b", "a b"),
        ("a . b", "a b"),
        ("a  b", "a b"),
        ("a  . .  b", "a b"),
        (" a ", "a"),
        (" .a. .", "a"),
        ("   ", ""),
        ("....", ""),
        ("", ""),
        ("b", "b"),
    ],
)
def test_repeats_merge_and_blanks_and_spaces_separate(path, text):
    hypothesis = decode_greedy(log_probs(path), SYMBOLS, FRAME)
    assert hypothesis.text == text == " ".join(word.text for word in hypothesis.words)


def test_times_run_from_the_first_symbol_to_the_blank_behind_the_last():
    first, second = decode_greedy(log_probs(".aa.b.. .bb"), SYMBOLS, FRAME).words
    assert (first.start, first.end) == pytest.approx((1 * FRAME, 6 * FRAME))
    assert (second.start, second.end) == pytest.approx((9 * FRAME, 11 * FRAME))


def test_the_score_is_the_best_paths_log_probability():
    hypothesis = decode_greedy(log_probs("a. b", 0.5), SYMBOLS, FRAME)
    assert hypothesis.score == pytest.approx(4 * math.log(0.5))
    assert decode_greedy(log_probs(""), SYMBOLS, FRAME).score == 0.0


def test_confidence_is_the_geometric_mean_of_the_surest_frames():
    # a in two frames, the surer 0.8, then b at 0.45: sqrt(0.8 * 0.45) = 0.6
    matrix = np.log(
        [
            [0.3, 0.1, 0.5, 0.1],
            [0.1, 0.05, 0.8, 0.05],
            [0.4, 0.1, 0.05, 0.45],
            [0.01, 0.97, 0.01, 0.01],
            [0.1, 0.1, 0.7, 0.1],
        ]
    ).astype(np.float32)
    first, second = decode_greedy(matrix, SYMBOLS, FRAME).words
    assert (first.text, second.text) == ("ab", "a")
    assert first.confidence == pytest.approx(0.6)
    assert second.confidence == pytest.approx(0.7)


def test_rounding_above_zero_does_not_make_a_confidence_above_one():
    matrix = np.array([[-20, -20, 1e-6, -20]], np.float32)
    assert decode_greedy(matrix, SYMBOLS, FRAME).words[0].confidence == 1.0


def test_impossible_symbols_may_be_minus_infinity():
    matrix = np.array([[-np.inf, -np.inf, 0, -np.inf]], np.float32)
    hypothesis = decode_greedy(matrix, SYMBOLS, FRAME)
    assert (hypothesis.text, hypothesis.score) == ("a", 0.0)


def test_what_is_not_a_number_is_refused_with_its_frame():
    matrix = log_probs("a.b")
    matrix[2, 0] = np.nan
    with pytest.raises(DecoderError, match="frame 2"):
        decode_greedy(matrix, SYMBOLS, FRAME)


@pytest.mark.parametrize("shape", [(5, 3), (5, 5), (5,), (1, 5, 4)])
def test_another_vocabulary_is_refused(shape):
    with pytest.raises(DecoderError, match="4 symbols"):
        decode_greedy(np.zeros(shape, np.float32), SYMBOLS, FRAME)


@st.composite
def spelled_paths(draw) -> tuple[str, str]:
    """A text, and one of the paths that CTC writes it by."""
    text = draw(st.text("ab ", max_size=12))
    path = draw(st.sampled_from(["", ".", ".."]))
    for before, symbol in zip(" " + text, text, strict=False):
        needs_blank = before == symbol and path
        path += "." if needs_blank and path[-1] == symbol else ""
        path += symbol * draw(st.integers(1, 3)) + draw(st.sampled_from(["", ".", ".."]))
    return text, path


@given(spelled_paths(), st.floats(0.3, 0.99))
def test_a_path_is_read_as_the_text_it_was_made_from(spelled, probability):
    text, path = spelled
    hypothesis = decode_greedy(log_probs(path, probability), SYMBOLS, FRAME)
    assert hypothesis.text == " ".join(text.split()) == " ".join(word.text for word in hypothesis.words)
    times = [time for word in hypothesis.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(0 <= time <= len(path) * FRAME + 1e-9 for time in times)
    assert all(word.start < word.end for word in hypothesis.words)
    assert all(word.confidence == pytest.approx(probability, rel=1e-4) for word in hypothesis.words)


@given(st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_confidences_are_shares_whatever_the_scores(num_frames, seed):
    logits = np.random.default_rng(seed).normal(0, 5, (num_frames, len(SYMBOLS)))
    matrix = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    hypothesis = decode_greedy(matrix.astype(np.float32), SYMBOLS, FRAME)
    assert all(0 <= word.confidence <= 1 for word in hypothesis.words)
    assert hypothesis.score <= 0
