"""The beam search against pyctcdecode's on real emissions: equal texts, or the better one is ours."""

import importlib.util
import itertools
import json
import math
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from asr.decoding import BeamDecoder, BeamSettings
from asr.lm import kneser_ney
from asr.lm.ngram import NGram

ROOT = Path(__file__).parents[1]
PATH = ROOT / "benchmarks" / "_emissions.py"
spec = importlib.util.spec_from_file_location("emissions", PATH)
emissions = importlib.util.module_from_spec(spec)
sys.modules["emissions"] = emissions  # dataclasses look their module up
spec.loader.exec_module(emissions)

PEER = json.loads((ROOT / "tests" / "fixtures" / "emissions" / "pyctcdecode.json").read_text())
UNKNOWN = PEER["alpha"] * PEER["unknown"] * math.log(10)
"""pyctcdecode adds its price of an unknown word to a log10 score, which alpha then multiplies."""
MARGIN = 1e-3
"""In nats: float32's share in a score."""
SPACES = 0.5
"""In nats: a text is the sum of prefixes with one space and with two, which our search keeps apart."""


@cache
def stored():
    symbols, utterances, sentences = emissions.load()
    tables = [
        kneser_ney.build([text.split() for text in texts], 3, discount_fallback=kneser_ney.FALLBACK)
        for texts in sentences
    ]
    return tuple(symbols), utterances, [NGram.from_table(table) for table in tables]


@cache
def differences() -> dict[int, tuple[str, str]]:
    """Ours and pyctcdecode's text by utterance, where they differ."""
    ours = decoded(PEER["width"], -PEER["beam_prune_logp"], {int(index): tried for index in PEER["texts"]})
    return {
        index: (text, PEER["texts"][str(index)])
        for index, text in ours.items()
        if text != PEER["texts"][str(index)]
    }


def decoded(
    width: int, threshold: float, inputs: dict[int, Callable[[np.ndarray], np.ndarray]]
) -> dict[int, str]:
    """Our text of some utterances, each after a change of its scores."""
    symbols, utterances, models = stored()
    weights = {"alpha": PEER["alpha"], "beta": PEER["beta"], "unknown": UNKNOWN, "unknown_letter": 0.0}
    settings = BeamSettings(beam_width=width, beam_threshold=threshold, times=False, **weights)
    decoders = [BeamDecoder(settings, model) for model in models]
    rows = {index: (utterances[index], change) for index, change in inputs.items()}
    return {
        index: decoders[one.model](change(one.log_probs), symbols, 0.04).text
        for index, (one, change) in rows.items()
    }


def tried(log_probs: np.ndarray) -> np.ndarray:
    """What pyctcdecode looks at: the best symbol of a frame and those above its threshold."""
    best = log_probs == log_probs.max(axis=1, keepdims=True)
    return np.where(best | (log_probs >= PEER["token_min_logp"]), log_probs, -1000.0).astype(np.float32)


def text_score(index: int, text: str) -> float:
    """The whole text's score under acoustic and language model, all alignments summed."""
    symbols, utterances, models = stored()
    one, words = utterances[index], text.split()
    model = models[one.model]
    labels = [symbols.index(letter) for letter in text]
    num_unknown = sum(model.word_id(word) == 0 for word in words)
    language = PEER["alpha"] * sum(model.score(words)) + PEER["beta"] * len(words) + UNKNOWN * num_unknown
    return forward(one.log_probs, labels, symbols.index(" ")) + language


def forward(log_probs: np.ndarray, labels: list[int], space: int) -> float:
    """log p of all that reads as these labels, be there more spaces than one between or around them.

    The forward algorithm over blank, label, blank, ... (Graves et al. 2006, section 4.1), with a space before
    and after that may be left out, and a way back from the blank behind a space to the space.
    """
    states = np.array([0] + [symbol for label in [space, *labels, space] for symbol in (label, 0)])
    skips = np.array([i > 1 and state not in (0, states[i - 2]) for i, state in enumerate(states)])
    alpha = np.full(len(states), -np.inf)
    begins = [0, 1, 3]
    alpha[begins] = log_probs[0, states[begins]]
    for scores in log_probs[1:].astype(np.float64):
        arrived = np.logaddexp(alpha, moved(alpha, 1))
        arrived[skips] = np.logaddexp(arrived, moved(alpha, 2))[skips]
        arrived[3] = np.logaddexp(arrived[3], alpha[0])
        again = np.flatnonzero(states == space)
        arrived[again] = np.logaddexp(arrived[again], alpha[again + 1])
        alpha = arrived + scores[states]
    return float(np.logaddexp.reduce(alpha[-4:]))


def moved(values: np.ndarray, places: int) -> np.ndarray:
    return np.concatenate((np.full(places, -np.inf), values[:-places]))


def reads_as(labels: tuple[int, ...], space: int) -> list[int]:
    """Without spaces around, with one between."""
    single = [
        one for one, before in zip(labels, (space, *labels), strict=False) if (one, before) != (space, space)
    ]
    return single[:-1] if single and single[-1] == space else single


@pytest.mark.parametrize("labels", [[1], [1, 1], [1, 2, 1]])
def test_the_forward_algorithm_is_the_sum_over_all_paths(labels):
    log_probs = np.log(np.random.default_rng(1).dirichlet(np.ones(3), 6))
    total = -np.inf
    for path in itertools.product(range(3), repeat=len(log_probs)):
        said = tuple(label for label, _ in itertools.groupby(path) if label != 0)
        if reads_as(said, space=2) == labels:
            total = np.logaddexp(total, log_probs[range(len(path)), path].sum())
    assert forward(log_probs, labels, space=2) == pytest.approx(total)


def test_nearly_all_texts_are_pyctcdecodes():
    assert len(PEER["texts"]) >= 300
    assert len(differences()) <= 0.05 * len(PEER["texts"])


def test_where_they_differ_ours_has_the_better_score_but_for_a_few_that_pruning_lost():
    lost = {
        index: theirs
        for index, (ours, theirs) in differences().items()
        if text_score(index, theirs) > text_score(index, ours) + MARGIN
    }
    assert len(lost) <= 0.02 * len(PEER["texts"])
    found = decoded(512, 30.0, dict.fromkeys(lost, lambda log_probs: log_probs))
    for index, theirs in lost.items():
        assert text_score(index, found[index]) >= text_score(index, theirs) - SPACES, (found[index], theirs)
