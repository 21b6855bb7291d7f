"""Forced alignment against every path there is."""

import itertools
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.alignment import align, align_words
from asr.viterbi import BLOCK


def collapse(path: tuple[int, ...]) -> list[int]:
    """What a CTC path writes. Example: (1, 1, 0, 1) -> [1, 1]"""
    return [label for label, _ in itertools.groupby(path) if label != 0]


def best_path_score(log_probs: np.ndarray, labels: list[int]) -> float:
    paths = itertools.product(range(log_probs.shape[1]), repeat=len(log_probs))
    writing = [path for path in paths if collapse(path) == labels]
    return max((sum(log_probs[t, s] for t, s in enumerate(path)) for path in writing), default=-np.inf)


def path_score(log_probs: np.ndarray, labels: list[int], spans: list[tuple[int, int]]) -> float:
    path = np.zeros(len(log_probs), int)
    for label, (start, end) in zip(labels, spans, strict=True):
        path[start:end] = label
    assert collapse(tuple(path)) == labels
    return float(log_probs[np.arange(len(path)), path].sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(1, 2), min_size=1, max_size=3), st.integers(0, 10**6))
def test_the_spans_are_those_of_the_best_of_all_paths(num_frames, labels, seed):
    log_probs = np.random.default_rng(seed).normal(size=(num_frames, 3)).astype(np.float32)
    spans = align(log_probs, labels)
    best = best_path_score(log_probs, labels)
    if best == -np.inf:
        assert spans == []
    else:
        assert path_score(log_probs, labels, spans) == pytest.approx(best, abs=1e-5)


def test_no_labels_and_too_few_frames_have_no_spans():
    log_probs = np.zeros((2, 3), np.float32)
    assert align(log_probs, []) == []
    assert align(log_probs, [1, 1]) == [], "a blank must stand between"
    assert align(log_probs, [1, 2]) == [(0, 1), (1, 2)]
    assert align(np.zeros((0, 3), np.float32), [1]) == []


def plain_spans(log_probs: np.ndarray, labels: list[int]) -> list[tuple[int, int]]:
    """Viterbi over all states of a frame at once, every back pointer kept; ties as ``argmax`` settles them."""
    extended = np.zeros(2 * len(labels) + 1, int)
    extended[1::2] = labels
    may_skip = np.zeros(len(extended), bool)
    may_skip[2:] = (extended[2:] != 0) & (extended[2:] != extended[:-2])
    scores, steps = np.full(len(extended), -np.inf), []
    scores[0] = 0.0
    for frame in log_probs:
        one, two = np.roll(scores, 1), np.where(may_skip, np.roll(scores, 2), -np.inf)
        one[0] = -np.inf
        arrivals = np.stack([scores, one, two])
        steps.append(arrivals.argmax(axis=0))
        scores = arrivals.max(axis=0) + frame[extended]
    state = int(scores[-2:].argmax()) + len(extended) - 2
    if scores[state] == -np.inf:
        return []
    frames: list[list[int]] = [[] for _ in labels]
    for index in range(len(steps) - 1, -1, -1):
        if state % 2:
            frames[state // 2].append(index)
        state -= steps[index][state]
    return [(own[-1], own[0] + 1) for own in frames]


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 14), st.lists(st.integers(1, 3), min_size=1, max_size=7), st.integers(0, 10**6))
def test_ties_and_impossible_symbols_are_settled_as_by_the_plain_search(num_frames, labels, seed):
    log_probs = np.random.default_rng(seed).integers(-4, 1, size=(num_frames, 4)).astype(np.float32)
    log_probs[log_probs == -4] = -np.inf
    assert align(log_probs, labels) == plain_spans(log_probs, labels)


@pytest.mark.parametrize("num_frames", [BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_blocks_do_not_show(num_frames):
    rng = np.random.default_rng(num_frames)
    log_probs = rng.normal(size=(num_frames, 6)).astype(np.float32)
    labels = rng.integers(1, 6, num_frames // 4).tolist()
    assert align(log_probs, labels) == plain_spans(log_probs, labels)


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 60), st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(0, 10**6))
def test_the_path_is_as_likely_as_torchaudios(num_frames, labels, seed):
    scores = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, num_frames, 5))).float()
    log_probs = scores.log_softmax(-1)
    spans = align(log_probs[0].numpy(), labels)
    if not spans:  # too few frames, which torchaudio refuses
        assert num_frames < len(labels) + sum(a == b for a, b in itertools.pairwise(labels))
        return
    _, theirs = torchaudio.functional.forced_align(log_probs, torch.tensor([labels], dtype=torch.int32))
    assert path_score(log_probs[0].numpy(), labels, spans) == pytest.approx(float(theirs.sum()), abs=1e-3)


class State(NamedTuple):
    symbol: int
    is_joint: bool = False
    must: bool = False
    """Words behind this joint are left out, for which the path has to come by."""

    def shown(self, row: np.ndarray, strange: float) -> float:
        return max(row[0], row.max() - strange) if self.is_joint else row[self.symbol]


def chosen_score(
    log_probs: np.ndarray, words: list[list[int]], chosen: Sequence[bool], strange: float
) -> float:
    """The best score of any path that says the chosen words, by enumeration."""
    states = [State(0, is_joint=True)]
    for word, keep in zip(words, chosen, strict=True):
        if keep:
            states += [state for label in word for state in (State(label), State(0))]
            states[-1] = State(0, is_joint=True)
        elif len(states) > 1:
            states[-1] = State(0, is_joint=True, must=True)
    places = itertools.combinations_with_replacement(range(len(states)), len(log_probs))
    paths = ([states[place] for place in path] for path in places if walks(path, states))
    scores = (sum(s.shown(row, strange) for row, s in zip(log_probs, path, strict=True)) for path in paths)
    return float(max(scores, default=-np.inf))


def walks(path: tuple[int, ...], states: list[State]) -> bool:
    """Whether it goes from the start to the end, over nothing but blanks between two unlike labels."""
    ends = path[0] <= 1 and path[-1] >= len(states) - (1 if states[-1].must else 2)
    return ends and all(
        b - a <= 1
        or (b - a == 2 and states[a].symbol not in (0, states[b].symbol) and not states[a + 1].must)
        for a, b in itertools.pairwise(path)
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=2), min_size=1, max_size=3),
    st.integers(0, 10**6),
    st.sampled_from([0.3, 1.0, 3.0]),
)
def test_words_are_left_out_and_noise_passed_over_as_by_enumeration(num_frames, words, seed, price):
    log_probs = np.random.default_rng(seed).normal(size=(num_frames, 3)).astype(np.float32)

    def score(chosen: Sequence[bool]) -> float:
        left_out = sum(len(word) for word, keep in zip(words, chosen, strict=True) if not keep)
        return chosen_score(log_probs, words, chosen, strange=0.5) - price * left_out

    spans = align_words(log_probs, words, price, strange=0.5)
    best = max(score(chosen) for chosen in itertools.product([False, True], repeat=len(words)))
    assert score([own is not None for own in spans]) == pytest.approx(best, abs=1e-5)
    assert all(own is None or len(own) == len(word) for own, word in zip(spans, words, strict=True))


@pytest.mark.parametrize("num_frames", [BLOCK + 1, 3 * BLOCK + 17])
def test_words_that_fit_are_all_placed_over_blocks_too(num_frames):
    rng = np.random.default_rng(num_frames)
    labels = rng.integers(1, 6, num_frames // 4)
    log_probs = rng.normal(size=(num_frames, 6)).astype(np.float32)
    words = [word.tolist() for word in np.split(labels, range(5, len(labels), 5))]
    spans = align_words(log_probs, words, np.inf, np.inf)
    assert [span for own in spans for span in own] == align(log_probs, labels.tolist())


def test_double_precision_and_other_layouts_are_read_alike():
    log_probs = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    spans = align(log_probs, [1, 2, 2, 4])
    assert align(log_probs.astype(np.float64), [1, 2, 2, 4]) == spans
    assert align(np.asfortranarray(log_probs), np.array([1, 2, 2, 4])) == spans


def test_nothing_is_compiled_before_somebody_aligns():
    script = "import sys, asr.alignment, asr.decoding.greedy; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
