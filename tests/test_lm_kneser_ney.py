"""The builder held to stored tables of lmplz, and to what a distribution must be."""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from asr.errors import LanguageModelError
from asr.lm import arpa, kneser_ney
from asr.lm.ngram import NGram, advance

FIXTURES = Path(__file__).parent / "fixtures" / "lm"
TEXT = [
    line.split()
    for line in gzip.decompress((FIXTURES / "ljspeech.txt.gz").read_bytes()).decode().splitlines()
]


@pytest.mark.parametrize(
    ("name", "order", "prune", "fallback"),
    [
        ("order2", 2, (0,), None),
        ("order3", 3, (0,), None),
        ("order3-pruned", 3, (0, 1, 1), None),
        ("order3-pruned", 3, (0, 1), None),
        ("order4-fallback", 4, (1, 1, 1, 2), kneser_ney.FALLBACK),
    ],
)
def test_the_table_is_lmplzs(name, order, prune, fallback):
    expected = arpa.read(FIXTURES / f"{name}.arpa.gz")
    table = kneser_ney.build(TEXT, order, prune, fallback)
    assert list(table.words) == list(expected.words)
    for ours, theirs in zip(table.levels, expected.levels, strict=True):
        assert np.array_equal(ours.words, theirs.words)  # in its order too
        np.testing.assert_allclose(ours.log_prob, theirs.log_prob, rtol=0, atol=2e-6)
        np.testing.assert_allclose(ours.backoff, theirs.backoff, rtol=0, atol=2e-6)


def random_text(rng: random.Random) -> list[list[str]]:
    letters = "abcdefgh"[: rng.randint(1, 8)]
    return [rng.choices(letters, k=rng.randint(0, 6)) for _ in range(rng.randint(1, 30))]


@pytest.mark.parametrize("seed", range(8))
def test_every_state_has_a_distribution(seed):
    rng = random.Random(seed)
    order = rng.randint(1, 6)
    prune = sorted(rng.choices([0, 0, 1, 2], k=rng.randint(1, order)))
    model = NGram.from_table(kneser_ney.build(random_text(rng), order, prune, kneser_ney.FALLBACK))
    begin = model.word_id("<s>")
    for state in range(len(model.backoff)):
        words = (word for word in range(len(model.words)) if word != begin)
        assert sum(np.exp(advance(*model.arrays, state, word)[0]) for word in words) == pytest.approx(
            1, abs=1e-5
        )


def test_discounts_worked_by_hand():
    # Single words: 4 seen once, 2 twice, 1 thrice, 1 four times; y = 4 / (4 + 2 * 2) = 1/2.
    text = [*"abcd", *"eeff", *"ggg", *"hhhh"]
    table = kneser_ney.build([[word] for word in text], order=1)
    total, words = len(text) + 15, 10  # each sentence ends; <unk> and </s> are words, <s> is not
    discounts = {1: 1 - 2 * 0.5 * 2 / 4, 2: 2 - 3 * 0.5 * 1 / 2, 3: 3 - 4 * 0.5 * 1 / 1}
    left = (4 * discounts[1] + 2 * discounts[2] + 3 * discounts[3]) / total
    expected = {"a": 1 - discounts[1], "e": 2 - discounts[2], "h": 4 - discounts[3], "<unk>": 0}
    for word, count in expected.items():
        found = 10 ** table.levels[0].log_prob[list(table.words).index(word)]
        assert found == pytest.approx(count / total + left / words, rel=1e-6)


def test_sentences_may_come_from_a_generator():
    table = kneser_ney.build((sentence for sentence in TEXT), 2)
    assert np.array_equal(table.levels[1].log_prob, kneser_ney.build(TEXT, 2).levels[1].log_prob)


@pytest.mark.parametrize(
    ("sentences", "settings", "message"),
    [
        ([], {}, "no text"),
        ([["a", "b"]], {}, r"1-grams to estimate discounts from \(seen once: 3, twice: 0"),
        ([["a", "</s>"]], {}, "holds <s>, </s> or <unk>"),
        ([["a b"]], {}, "'a b' is empty or holds a blank"),
        ([["a", ""]], {}, "'' is empty or holds a blank"),
        (TEXT, {"order": 0}, "order 0 is not between 1 and 6"),
        (TEXT, {"order": 7}, "order 7"),
        (TEXT, {"prune": (0, 2, 1)}, "thresholds 0 2 1 .* never fall"),
        (TEXT, {"prune": (0, 0, 1, 1)}, "1 to 3 numbers"),
        (TEXT, {"prune": ()}, "1 to 3 numbers"),
        (TEXT, {"prune": (-1,)}, "thresholds -1"),
    ],
)
def test_what_cannot_be_built_is_said(sentences, settings, message):
    with pytest.raises(LanguageModelError, match=message):
        kneser_ney.build(sentences, **settings)
