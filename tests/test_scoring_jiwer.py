"""The same numbers as jiwer's, to the last bit, whatever is compared."""

import random

import jiwer
import pytest

from asr import scoring
from asr.scoring import Counts

NUM_PAIRS = 5000


def random_pairs() -> list[tuple[str, str]]:
    """Of few words, so that there are many alignments; a tenth of them empty on either side."""
    rng = random.Random(7)
    words = ["one", "two", "I", "a", "don't", "ɛ́", "b"]

    def line() -> str:
        return " ".join(rng.choices(words, k=rng.choice([0, *range(1, 11)])))

    return [(line(), line()) for _ in range(NUM_PAIRS)]


PAIRS = random_pairs()
REFERENCES, HYPOTHESES = (list(column) for column in zip(*PAIRS, strict=True))


def test_there_are_empty_ones_among_them():
    assert min(sum(not said for said in REFERENCES), sum(not heard for heard in HYPOTHESES)) > 300
    assert ("", "") in PAIRS


def test_words_of_the_corpus():
    theirs = jiwer.process_words(REFERENCES, HYPOTHESES)
    ours = scoring.total([scoring.count_words(*pair) for pair in PAIRS])
    assert ours == Counts(theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions)
    assert ours.rate == theirs.wer == jiwer.wer(REFERENCES, HYPOTHESES)


def test_characters_of_the_corpus():
    theirs = jiwer.process_characters(REFERENCES, HYPOTHESES)
    ours = scoring.total([scoring.count_characters(*pair) for pair in PAIRS])
    assert ours == Counts(theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions)
    assert ours.rate == theirs.cer


def test_every_pair_by_itself():
    assert [scoring.count_words(*pair).rate for pair in PAIRS] == [jiwer.wer(*pair) for pair in PAIRS]


@pytest.mark.parametrize(("reference", "hypothesis"), [("", ""), ("", "a b"), ("a b", ""), (" ", "a")])
def test_what_is_empty_counts_as_in_jiwer(reference, hypothesis):
    assert scoring.count_words(reference, hypothesis).rate == jiwer.wer(reference, hypothesis)
    assert scoring.count_characters(reference.strip(), hypothesis).rate == jiwer.cer(reference, hypothesis)
