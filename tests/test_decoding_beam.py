"""The beam search against the sum over every path there is, with and without a language model."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding import decode_greedy
from asr.decoding.decoder import BeamDecoder, BeamSettings
from asr.decoding.search import Search
from asr.errors import DecoderError
from asr.lm.ngram import NGram

SYMBOLS = ("<blank>", "a", "b", " ")
EVERYTHING = {"beam_width": 3000, "max_tokens": 100, "token_threshold": math.inf, "beam_threshold": 600.0}
ARPA = """\\data\\
ngram 1=5
ngram 2=5

\\1-grams:
-1.2\t<unk>\t0
-99\t<s>\t-0.4
-0.7\t</s>\t0
-0.5\ta\t-0.3
-0.9\tab\t-0.2

\\2-grams:
-0.3\t<s> a
-0.2\ta ab
-0.6\tab a
-0.4\ta </s>
-0.8\tab </s>

\\end\\
"""
BIGRAM = {
    ("<s>", "a"): -0.3,
    ("a", "ab"): -0.2,
    ("ab", "a"): -0.6,
    ("a", "</s>"): -0.4,
    ("ab", "</s>"): -0.8,
}
UNIGRAM = {
    "<unk>": (-1.2, 0.0),
    "<s>": (-99, -0.4),
    "</s>": (-0.7, 0.0),
    "a": (-0.5, -0.3),
    "ab": (-0.9, -0.2),
}


@pytest.fixture(scope="module")
def bigram(tmp_path_factory: pytest.TempPathFactory) -> NGram:
    path: Path = tmp_path_factory.mktemp("lm") / "toy.arpa"
    path.write_text(ARPA)
    return NGram.load(path)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def random_log_probs(num_frames: int, seed: int, num_symbols: int = len(SYMBOLS)) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).normal(0, 2, (num_frames, num_symbols)))


def written(labels: tuple[int, ...]) -> tuple[int, ...]:
    """Without the spaces that no word stands before or behind: they are not part of a text."""
    words = "".join(SYMBOLS[label] for label in labels).split()
    return tuple(SYMBOLS.index(character) for character in " ".join(words))


def enumerate_texts(log_probs: np.ndarray, write=written) -> dict[tuple[int, ...], float]:
    """The log-probability of every text, as labels, summed over every path that writes it."""
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = write(tuple(label for label, _ in itertools.groupby(path) if label != 0))
        score = sum(log_probs[frame, label] for frame, label in enumerate(path))
        totals[labels] = np.logaddexp(totals.get(labels, -np.inf), score)
    return totals


def bigram_log10(previous: str, word: str) -> float:
    """By the definition of backing off, on the table above."""
    word = word if word in UNIGRAM else "<unk>"
    previous = previous if previous in UNIGRAM else "<unk>"
    return BIGRAM.get((previous, word), UNIGRAM[previous][1] + UNIGRAM[word][0])


def text_score(labels: tuple[int, ...], options: BeamSettings) -> float:
    words = "".join(SYMBOLS[label] for label in labels).split()
    sentence = ["<s>", *words, "</s>"]
    log10 = sum(bigram_log10(*pair) for pair in itertools.pairwise(sentence))
    num_unknown = sum(word not in UNIGRAM for word in words)
    if options.lexicon == "strict" and num_unknown:
        return -math.inf
    letters = sum(len(word) for word in words if word not in UNIGRAM)
    unknown = options.unknown * num_unknown + options.unknown_letter * letters
    return options.alpha * log10 * math.log(10) + options.beta * len(words) + unknown


def found(decoder: BeamDecoder, log_probs: np.ndarray, write=written) -> dict[tuple[int, ...], float]:
    search = Search(decoder.scorer(SYMBOLS), len(SYMBOLS))
    search.accept(np.exp(log_probs))
    return {write(tuple(search.labels(one.prefix))): one.score for one in search.found()}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_without_pruning_every_text_has_its_exact_probability(num_frames, seed):
    log_probs = random_log_probs(num_frames, seed)
    scores = found(BeamDecoder(BeamSettings(beta=0.0, **EVERYTHING)), log_probs)
    expected = enumerate_texts(log_probs)
    assert scores.keys() == expected.keys()
    for labels, score in expected.items():
        assert scores[labels] == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(
    "weights",
    [
        {"alpha": 0.8, "beta": 1.5, "unknown": -2.0, "unknown_letter": -0.7},
        {"alpha": 0.0, "beta": 0.0, "unknown": 0.0, "unknown_letter": 0.0},
        {"alpha": 2.0, "beta": -1.0, "unknown": -4.0, "lexicon": "strict"},
    ],
    ids=["open", "no weight", "strict"],
)
@pytest.mark.parametrize("seed", range(8))
def test_with_a_bigram_every_text_has_its_exact_score(bigram, weights, seed):
    log_probs = random_log_probs(5, seed)
    options = BeamSettings(**weights, **EVERYTHING)
    scores = found(BeamDecoder(options, bigram), log_probs)
    expected = {labels: p + text_score(labels, options) for labels, p in enumerate_texts(log_probs).items()}
    expected = {labels: score for labels, score in expected.items() if score > -math.inf}
    assert scores.keys() == expected.keys()
    for labels, score in expected.items():
        assert scores[labels] == pytest.approx(score, abs=1e-4)


def test_the_best_hypotheses_come_first_and_no_text_twice(bigram):
    decoder = BeamDecoder(BeamSettings(**EVERYTHING), bigram)
    hypotheses = decoder.nbest(random_log_probs(6, 1), SYMBOLS, 0.02, 10)
    scores = [hypothesis.score for hypothesis in hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert len({hypothesis.text for hypothesis in hypotheses}) == len(hypotheses) == 10
    assert decoder(random_log_probs(6, 1), SYMBOLS, 0.02) == hypotheses[0]


def test_a_constant_added_to_the_scores_changes_nothing():
    log_probs = random_log_probs(30, 2)
    decoder = BeamDecoder()
    plain, shifted = (decoder(scores, SYMBOLS, 0.02) for scores in (log_probs, log_probs + 5))
    assert plain.text == shifted.text
    assert plain.score == pytest.approx(shifted.score, abs=1e-6)


def test_a_wider_beam_is_no_worse():
    log_probs = random_log_probs(40, 3)
    scores = [
        BeamDecoder(BeamSettings(beam_width=width))(log_probs, SYMBOLS, 0.02).score for width in (2, 8, 64)
    ]
    assert scores == sorted(scores)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_where_every_frame_is_sure_greedy_is_the_answer(path):
    """The limit in which the best path has all of its text's probability."""
    log_probs = log_softmax(100.0 * np.eye(4)[path])
    beam = BeamDecoder(BeamSettings(beta=0.0, beam_width=1))(log_probs, SYMBOLS, 0.02)
    greedy = decode_greedy(log_probs, SYMBOLS, 0.02)
    assert beam.text == greedy.text
    assert [(w.start, w.end) for w in beam.words] == [(w.start, w.end) for w in greedy.words]


def test_nothing_in_nothing_out():
    assert BeamDecoder()(np.zeros((0, 4)), SYMBOLS, 0.02).text == ""


def test_strict_finds_its_words_however_sure_the_sounds_are_of_others(bigram):
    log_probs = log_softmax(
        np.array([[0.0, 0, 50, 0], [0, 50, 0, 0], [0, 0, 0, 50]])
    )  # "ba", and no word has "b" first
    assert BeamDecoder(BeamSettings(), bigram)(log_probs, SYMBOLS, 0.02).text == "ba"
    found = BeamDecoder(BeamSettings(lexicon="strict"), bigram)(log_probs, SYMBOLS, 0.02)
    assert found.text == "a"
    assert math.isfinite(found.score)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.full((3, 4), np.nan), "not a number at frame 0"),
        (np.array([[0.0, 0, 0, 0], [0, np.inf, 0, 0]]), "no finite best score at frame 1"),
        (np.full((3, 4), -np.inf), "no finite best score at frame 0"),
        (np.zeros((3, 5)), "4 symbols"),
        (np.zeros(4), "4 symbols"),
    ],
)
def test_what_cannot_be_decoded_is_refused(scores, reason):
    with pytest.raises(DecoderError, match=reason):
        BeamDecoder()(scores, SYMBOLS, 0.02)


def test_impossible_symbols_may_be_minus_infinity():
    scores = np.full((3, 4), -np.inf)
    scores[[0, 1, 2], [1, 0, 2]] = 0.0
    hypothesis = BeamDecoder(BeamSettings(beta=0.0))(scores, SYMBOLS, 0.02)
    assert (hypothesis.text, hypothesis.score) == ("ab", pytest.approx(0.0, abs=1e-6))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_no_prefix_is_followed_twice(width, seed):
    """Also where a prefix falls out of a narrow beam, its extension stays, and it comes back."""
    log_probs = random_log_probs(40, seed, num_symbols=3)
    search = Search(BeamDecoder(BeamSettings(beam_width=width)).scorer(SYMBOLS[:3]), 3)
    search.accept(np.exp(log_probs))
    labels = [tuple(search.labels(one.prefix)) for one in search.found()]
    assert len(labels) == len(set(labels))


def test_without_times_there_is_the_same_text_and_no_words(bigram):
    log_probs = random_log_probs(30, 4)
    whole, bare = (
        BeamDecoder(BeamSettings(times=times), bigram)(log_probs, SYMBOLS, 0.02) for times in (True, False)
    )
    assert (whole.text, whole.score) == (bare.text, bare.score)
    assert whole.words
    assert not bare.words


def test_scores_are_the_sum_of_their_parts(bigram):
    for hypothesis in BeamDecoder(language_model=bigram).nbest(random_log_probs(20, 9), SYMBOLS, 0.02, 5):
        assert hypothesis.score == pytest.approx(hypothesis.acoustic + hypothesis.language)


@pytest.mark.parametrize(
    "options",
    [
        {"beam_width": 0},
        {"max_tokens": 0},
        {"lexicon": "loose"},
        {"alpha": math.nan},
        {"alpha": -0.1},
        {"token_threshold": -1.0},
    ],
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(DecoderError):
        BeamSettings(**options)


def test_a_language_model_of_other_letters_is_refused(bigram):
    with pytest.raises(DecoderError, match="can write no word"):
        BeamDecoder(BeamSettings(), bigram)(np.zeros((3, 3)), ("<blank>", " ", "ж"), 0.02)
