"""Hotwords against their definition: a text has, in the end, the boosts of the phrases that stand in it whole."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decoding_beam import (
    EVERYTHING,
    SYMBOLS,
    bigram,
    enumerate_texts,
    found,
    random_log_probs,
    text_score,
)

from asr.decoding import BeamDecoder, BeamSettings
from asr.decoding.hotwords import START, build_hotwords
from asr.decoding.spelling import Units
from asr.errors import DecoderError

__all__ = ["bigram"]


def earned(text: str, boosts: dict[str, float]) -> float:
    words = text.split()
    spans = itertools.combinations(range(len(words) + 1), 2)
    return sum(boosts.get(" ".join(words[start:end]), 0.0) for start, end in spans)


def walk(text: str, boosts: dict[str, float]) -> tuple[float, list[float]]:
    """What the automaton gives in the end, and after each character."""
    hotwords = build_hotwords(boosts, Units(SYMBOLS))
    node, total, way = START, 0.0, []
    for character in text:
        symbol = SYMBOLS.index(character)
        total += math.log(hotwords.gain[node, symbol])
        node = hotwords.next[node, symbol]
        way.append(total)
    return total + hotwords.end[node], way


@settings(max_examples=300, deadline=None)
@given(
    st.text("ab ", max_size=14),
    st.dictionaries(
        st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3).map(" ".join),
        st.floats(-8, 8),
        max_size=5,
    ),
)
def test_a_text_has_the_boosts_of_the_phrases_in_it(text, boosts):
    total, _ = walk(text, boosts)
    # Two spaces in a row end a phrase; the text that is written has one.
    expected = sum(earned(part, boosts) for part in text.split("  "))
    assert total == pytest.approx(expected, abs=1e-9)


def test_the_boost_comes_from_the_first_character_and_is_taken_back():
    total, way = walk("ab", {"ab": 6.0})
    assert way == pytest.approx([3.0, 6.0])
    assert total == pytest.approx(6.0)
    total, way = walk("aa", {"ab": 6.0})
    assert way == pytest.approx([3.0, 0.0])
    assert total == pytest.approx(0.0)
    total, _ = walk("aba", {"ab": 6.0})  # a word that only begins like it
    assert total == pytest.approx(0.0)


@pytest.mark.parametrize("seed", range(6))
def test_with_hotwords_every_text_has_its_exact_score(bigram, seed):
    log_probs = random_log_probs(5, seed)
    boosts = {"b": 2.5, "a b": 3.0, "ab": -1.0}
    options = BeamSettings(alpha=0.7, beta=0.5, unknown=-3.0, **EVERYTHING)
    scores = found(BeamDecoder(options, bigram, boosts), log_probs)
    for labels, acoustic in enumerate_texts(log_probs).items():
        text = "".join(SYMBOLS[label] for label in labels)
        boost = earned(text, boosts)
        assert scores[labels] == pytest.approx(acoustic + text_score(labels, options) + boost, abs=1e-4)


def test_a_hotword_wins_where_it_was_close(bigram):
    log_probs = np.log(np.array([[0.05, 0.5, 0.4, 0.05]] * 1 + [[0.9, 0.04, 0.03, 0.03]]))
    assert BeamDecoder(BeamSettings(beta=0.0))(log_probs, SYMBOLS, 0.02).text == "a"
    assert BeamDecoder(BeamSettings(beta=0.0), None, {"b": 2.0})(log_probs, SYMBOLS, 0.02).text == "b"


def test_a_strict_lexicon_lets_hotwords_in(bigram):
    log_probs = np.log(np.array([[0.04, 0.03, 0.9, 0.03]]))
    strict = BeamSettings(lexicon="strict", unknown=-2.0)
    assert BeamDecoder(strict, bigram)(log_probs, SYMBOLS, 0.02).text != "b"
    assert BeamDecoder(strict, bigram, {"b": 4.0})(log_probs, SYMBOLS, 0.02).text == "b"


@pytest.mark.parametrize(
    ("boosts", "reason"),
    [
        ({"ax": 3.0}, "cannot write 'x'"),
        ({" ": 3.0}, "empty"),
        ({"a": math.nan}, "boost is nan"),
        ({"a": 101.0}, "at most 100"),
    ],
)
def test_impossible_hotwords_are_refused(boosts, reason):
    with pytest.raises(DecoderError, match=reason):
        BeamDecoder(hotwords=boosts)(np.zeros((2, 4)), SYMBOLS, 0.02)


def test_a_large_boost_many_times_is_no_overflow():
    """Shares grow without end where a boosted word comes again and again."""
    log_probs = np.log(np.tile([[0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]], (200, 1)))
    found = BeamDecoder(hotwords={"a": 100.0})(log_probs, SYMBOLS, 0.02)
    assert found.text == " ".join("a" * 200)
    assert math.isfinite(found.score)


def test_warming_up_needs_no_symbol_of_theirs():
    assert BeamDecoder(hotwords={"ß": 3.0}).warm_up() >= 0
