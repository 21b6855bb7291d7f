"""Forced alignment against every path there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.alignment import align


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
