"""The search of models that write label by label: against enumeration, against greedy, within its lengths."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

import asr
from asr.decoding.attention import AttentionDecoder, AttentionSearch, search
from asr.decoding.ctc_prefixes import Prefixes
from asr.errors import DecoderError

SYMBOLS = ("<blank>", "a", "b", " ")


def random_log_probs(num_frames: int, seed: int) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(0, 1.5, (num_frames, len(SYMBOLS)))
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


class Babble:
    """Writes what a hash of the labels before says: a conditional distribution that depends on all of them."""

    def __init__(self, num_frames: int, seed: int, ctc_weight: float = 0.0, end: float = 0.0):
        self.num_frames, self.seed, self.ctc_weight, self.end = num_frames, seed, ctc_weight, end

    def nexts(self, labels: tuple[int, ...]) -> np.ndarray:
        scores = np.random.default_rng([self.seed, len(labels), *labels]).normal(0, 1, len(SYMBOLS))
        scores[0] += self.end
        return scores - np.logaddexp.reduce(scores)

    def begin(self) -> list[tuple[int, ...]]:
        return [()]

    def advance(self, state, rows, labels):
        grown = [(*state[row], label) if label else () for row, label in zip(rows, labels, strict=True)]
        weights = np.full((len(grown), self.num_frames), 1 / self.num_frames)
        return np.stack([self.nexts(one) for one in grown]), weights, grown


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label)


def shares_of_texts(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every text that CTC can write, by all of its paths."""
    shares: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(len(SYMBOLS)), repeat=len(log_probs)):
        share = math.exp(sum(float(log_probs[frame, label]) for frame, label in enumerate(path)))
        shares[collapsed(path)] = shares.get(collapsed(path), 0.0) + share
    return shares


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_of_prefixes_are_those_of_all_paths(seed):
    log_probs = random_log_probs(5, seed)
    shares = shares_of_texts(log_probs)
    wanted = [(), *((label,) for label in (1, 2, 3))]
    wanted += [*itertools.product((1, 2, 3), repeat=2), (1, 1, 2), (2, 1, 1), (3, 3, 3)]
    for text in wanted:
        prefixes = Prefixes.empty(log_probs)
        for label in text:
            prefixes = prefixes.grown(np.array([0]), np.array([label]))
        assert math.exp(prefixes.ended()[0]) == pytest.approx(shares.get(text, 0.0), abs=1e-9)
        extended = prefixes.extended()[0]
        for label in (1, 2, 3):
            begins = (*text, label)
            share = sum(one for other, one in shares.items() if other[: len(begins)] == begins)
            assert math.exp(extended[label]) == pytest.approx(share, abs=1e-9)


def test_prefixes_of_long_recordings_keep_their_digits():
    log_probs = random_log_probs(4000, 1)
    prefixes = Prefixes.empty(log_probs)
    extended = prefixes.extended()[0]
    # All texts begin with some label, but for the empty one.
    total = np.logaddexp(np.logaddexp.reduce(extended), prefixes.ended()[0])
    assert total == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("bonus", [0.0, 0.7])
def test_a_wide_beam_finds_the_best_of_all_texts(weight, bonus):
    num_frames = 5
    log_probs, babble = random_log_probs(num_frames, 7), Babble(num_frames, 3, weight)
    shares = shares_of_texts(log_probs)
    settings = AttentionSearch(
        beam_width=1000, length_bonus=bonus, max_ratio=0.8, end_threshold=1e9, least_speech=0, most_speech=9
    )

    def score(labels: tuple[int, ...]) -> float:
        written = sum(babble.nexts(labels[:place])[label] for place, label in enumerate((*labels, 0)))
        heard = math.log(shares[labels]) if labels in shares else -math.inf
        return (1 - weight) * written + (weight * heard if weight else 0.0) + bonus * len(labels)

    texts = [text for size in range(5) for text in itertools.product((1, 2, 3), repeat=size)]
    best = sorted(texts, key=score, reverse=True)
    found = search(babble, log_probs, settings, 5)
    assert [text.labels for text in found[:5]] == best[:5]
    assert [text.score for text in found[:5]] == pytest.approx([score(text) for text in best[:5]], abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(seed):
    babble, log_probs = Babble(12, seed, end=0.5), random_log_probs(12, seed)
    settings = AttentionSearch(beam_width=1, end_threshold=1e9, max_ratio=1)
    labels: tuple[int, ...] = ()
    while len(labels) < 12 and (label := int(babble.nexts(labels).argmax())):
        labels = (*labels, label)
    (found,) = search(babble, log_probs, settings)
    assert found.labels == labels


def test_the_joint_score_changes_what_is_found():
    for seed in range(3):
        log_probs = random_log_probs(12, seed)
        first, second = (search(Babble(12, 4, one), log_probs, AttentionSearch())[0] for one in (0.0, 0.7))
        assert first.labels != second.labels
        asked = search(Babble(12, 4, 0.0), log_probs, AttentionSearch(ctc_weight=0.7))[0]
        assert asked == second


@pytest.mark.parametrize(
    ("changes", "shortest", "longest"),
    [
        ({"max_ratio": 0.2}, 0, 4),
        ({"min_ratio": 0.5, "end_threshold": 1e9}, 10, 20),
        ({"min_ratio": 0.3, "max_ratio": 0.3}, 6, 6),
        ({"max_ratio": 1.0, "length_bonus": 50.0}, 20, 20),
        ({"max_ratio": 0.0}, 0, 0),
        ({"most_speech": 0.1, "length_bonus": 50.0}, 1, 2),
    ],
)
def test_lengths_stay_within_their_bounds(changes, shortest, longest):
    settings = dataclasses.replace(AttentionSearch(), **changes)
    for seed in range(5):
        found = search(Babble(20, seed), random_log_probs(20, seed), settings, 3)
        assert shortest <= len(found[0].labels)
        assert all(len(text.labels) <= longest for text in found)


def test_one_that_never_wants_to_end_is_ended():
    found = search(Babble(10, 1, end=-50), random_log_probs(10, 1), AttentionSearch())
    assert len(found[0].labels) == 8


def test_one_that_goes_round_in_circles_writes_little_more_than_ctc_expects():
    heard = np.log(np.full((40, 4), [0.997, 0.001, 0.001, 0.001], dtype=np.float32))
    heard[[5, 15, 25]] = np.log(np.array([0.01, 0.97, 0.01, 0.01], dtype=np.float32))
    expected = 3 * 0.99 + 37 * 0.003
    found = search(Babble(40, 1, end=-50), heard, AttentionSearch())
    assert len(found[0].labels) == math.ceil(1.5 * expected) == 5


def test_the_threshold_of_the_end_makes_texts_longer():
    lengths = [
        sum(
            len(
                search(
                    Babble(30, seed, end=1), random_log_probs(30, seed), AttentionSearch(end_threshold=one)
                )[0].labels
            )
            for seed in range(10)
        )
        for one in (1.0, 1e9)
    ]
    assert lengths[0] > lengths[1]


def test_where_nobody_speaks_nothing_is_written():
    silence = np.log(np.full((40, 4), [0.997, 0.001, 0.001, 0.001], dtype=np.float32))
    hypothesis = AttentionDecoder()(silence, SYMBOLS, 0.04, Babble(40, 1))
    assert (hypothesis.text, hypothesis.words) == ("", ())
    assert AttentionDecoder()(np.empty((0, 4), np.float32), SYMBOLS, 0.04, Babble(0, 1)).text == ""


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_words_have_times_and_confidences_in_order(weight):
    log_probs = random_log_probs(20, 5)
    for hypothesis in AttentionDecoder().nbest(log_probs, SYMBOLS, 0.04, 4, Babble(20, 8, weight)):
        assert hypothesis.text == " ".join(word.text for word in hypothesis.words)
        edges = [edge for word in hypothesis.words for edge in (word.start, word.end)]
        assert edges == sorted(edges)
        assert all(0 <= edge <= 0.8 + 1e-9 for edge in edges)
        assert all(0 <= word.confidence <= 1 for word in hypothesis.words)


def test_the_best_alternatives_come_first_and_differ():
    found = AttentionDecoder().nbest(random_log_probs(12, 3), SYMBOLS, 0.04, 5, Babble(12, 3, 0.3))
    assert len({one.text for one in found}) == len(found) > 1
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"beam_width": 0},
        {"ctc_weight": 1.5},
        {"min_ratio": 0.9},
        {"max_ratio": 1.1},
        {"length_bonus": math.nan},
        {"end_threshold": 0.5},
        {"most_speech": 0.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(DecoderError, match=next(iter(changes))):
        AttentionSearch(**changes)


def test_it_cannot_stream():
    with pytest.raises(DecoderError, match="needs the whole utterance"):
        asr.AttentionDecoder().stream(SYMBOLS, 0.04)


def test_pieces_of_words_become_words():
    symbols, decoder = ("<blank>", " a", "b", " bc"), AttentionDecoder(AttentionSearch(least_speech=0.0))
    found = [decoder(random_log_probs(8, seed), symbols, 0.02, Babble(8, seed, 0.5)) for seed in range(6)]
    assert any(len(one.words) > 1 for one in found)
    for one in found:
        assert {part for word in one.words for part in word.text.replace("bc", "").replace("b", "")} <= {"a"}
        assert all(word.text.count("a") <= 1 and 0 < word.confidence <= 1 for word in one.words)
