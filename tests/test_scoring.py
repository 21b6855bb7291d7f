"""Counts by hand, the line that scripts read, and an interval that covers what it promises."""

import numpy as np
import pytest

from asr import scoring
from asr.scoring import Counts, Interval
from asr.scoring.changes import changes
from asr.scoring.tally import most_common, tally


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("the cat sat", "the cat sat", Counts(3, 0, 0, 0)),
        ("the cat sat", "the dog sat", Counts(2, 1, 0, 0)),
        ("the cat sat", "the sat", Counts(2, 0, 1, 0)),
        ("the cat sat", "the cat has sat", Counts(3, 0, 0, 1)),
        ("the cat sat", "", Counts(0, 0, 3, 0)),
        ("", "uh oh", Counts(0, 0, 0, 2)),
        ("", "", Counts()),
        ("I a b", "I a c", Counts(2, 1, 0, 0)),
        ("a", "a", Counts(1, 0, 0, 0)),
        ("a", "b", Counts(0, 1, 0, 0)),
        ("  two   words ", "two words", Counts(2, 0, 0, 0)),
        ("don't", "dont", Counts(0, 1, 0, 0)),
        ("ɛ́ bà", "ɛ bà", Counts(1, 1, 0, 0)),
    ],
)
def test_words_are_counted(reference, hypothesis, expected):
    assert scoring.count_words(reference, hypothesis) == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("cat", "cut", Counts(2, 1, 0, 0)),
        ("a b", "ab", Counts(2, 0, 1, 0)),
        ("ab", "a b", Counts(2, 0, 0, 1)),
        ("ab", "", Counts(0, 0, 2, 0)),
        ("", "ab", Counts(0, 0, 0, 2)),
        ("", "", Counts()),
    ],
)
def test_characters_are_counted_spaces_included(reference, hypothesis, expected):
    assert scoring.count_characters(reference, hypothesis) == expected


def test_one_word_lines_of_one_character_stay_in_their_places():
    # Tools that drop such lines pair every later one with its neighbour.
    pairs = [("I", "I"), ("went home", "went home"), ("a", ""), ("b", "b")]
    total = scoring.total([scoring.count_words(*pair) for pair in pairs])
    assert total == Counts(hits=4, substitutions=0, deletions=1, insertions=0)


def test_the_alignment_is_the_one_that_was_counted():
    pairs = scoring.align("the cat sat down", "a the cat sits")
    assert pairs == [(None, "a"), ("the", "the"), ("cat", "cat"), ("sat", "sits"), ("down", None)]
    assert scoring.align("", "") == []
    assert scoring.align("", "oh") == [(None, "oh")]


def test_the_rate_of_a_corpus_is_errors_over_words_not_the_mean_of_rates():
    counts = [Counts(hits=9, substitutions=1), Counts(substitutions=1)]
    assert scoring.total(counts).rate == pytest.approx(2 / 11)
    assert scoring.total([]) == Counts()


def test_rates_at_the_edges():
    assert Counts().rate == 0.0
    assert Counts(insertions=2).rate == 2.0, "as in jiwer"
    assert Counts(hits=1, insertions=3).rate == 3.0


def test_the_line_is_kaldis():
    counts = Counts(hits=5643 - 38 - 315, substitutions=315, deletions=38, insertions=58)
    assert scoring.wer_line(counts) == "%WER 7.28 [ 411 / 5643, 58 ins, 38 del, 315 sub ]"
    assert scoring.wer_line(Counts(hits=1), "CER") == "%CER 0.00 [ 0 / 1, 0 ins, 0 del, 0 sub ]"


def simulated(truth: float, num_utterances: int, rng: np.random.Generator) -> list[Counts]:
    """Utterances of 3 to 15 words, some harder than others, with ``truth`` errors a word in the mean."""
    counts = []
    for words in rng.integers(3, 16, num_utterances):
        difficulty = rng.beta(2, 2 / truth - 2)
        errors = int(rng.binomial(words, difficulty))
        counts.append(Counts(hits=int(words) - errors, substitutions=errors))
    return counts


def test_the_interval_contains_the_rate_and_a_seed_gives_one_interval():
    counts = simulated(0.1, 100, np.random.default_rng(4))
    interval = scoring.interval(counts)
    assert interval.low < scoring.total(counts).rate < interval.high
    assert interval == scoring.interval(counts)
    assert interval != scoring.interval(counts, seed=2)


def test_the_interval_is_as_wide_as_theory_says():
    # One word an utterance makes it binomial: 1.96 * sqrt(0.1 * 0.9 / 1000) = 0.0186
    counts = [Counts(substitutions=1)] * 100 + [Counts(hits=1)] * 900
    interval = scoring.interval(counts)
    assert (interval.high - interval.low) / 2 == pytest.approx(0.0186, rel=0.08)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        interval = scoring.interval(simulated(0.15, 100, rng), num_samples=400)
        covered += interval.low <= 0.15 <= interval.high
    assert 180 <= covered <= 198


def test_an_interval_without_doubt_or_without_utterances():
    assert scoring.interval([]) == Interval(0.0, 0.0)
    assert scoring.interval([Counts(hits=3)] * 5) == Interval(0.0, 0.0)
    assert scoring.interval([Counts(deletions=3)] * 5) == Interval(1.0, 1.0)


def test_of_every_word_heard_it_is_known_whether_it_is_right():
    assert scoring.judge("one two three", "one too three four") == [True, False, True, False]
    assert scoring.judge("one two", "") == []
    assert scoring.judge("", "one") == [False]


def test_a_difference_is_surer_than_its_two_rates():
    rng = np.random.default_rng(5)
    hard = rng.integers(0, 6, 80)  # errors that both make
    theirs = [scoring.Counts(10 - errors, errors) for errors in hard]
    ours = [scoring.Counts(10 - max(errors - 1, 0), max(errors - 1, 0)) for errors in hard]
    both = scoring.difference(ours, theirs)
    assert both.low < scoring.total(ours).rate - scoring.total(theirs).rate < both.high < 0
    assert both.high - both.low < scoring.interval(ours).high - scoring.interval(ours).low
    assert scoring.difference(ours, ours) == scoring.Interval(0.0, 0.0)


def test_the_vectorised_bootstrap_is_the_slow_one():
    rng = np.random.default_rng(8)
    counts = simulated(0.2, 60, rng)
    errors, words = (
        np.array(column) for column in zip(*((c.errors, c.num_reference) for c in counts), strict=True)
    )
    rates = []
    for _ in range(20_000):
        drawn = rng.integers(len(counts), size=len(counts))
        rates.append(errors[drawn].sum() / words[drawn].sum())
    interval = scoring.interval(counts, num_samples=20_000)
    assert [interval.low, interval.high] == pytest.approx(np.percentile(rates, [2.5, 97.5]), abs=0.003)


def test_draws_are_as_many_as_units_and_blocks_do_not_show():
    values = np.stack([np.ones(3000), np.arange(3000)], axis=1)  # more than a block holds, by samples
    sums = scoring.resample(values, num_samples=200)
    assert sums.shape == (200, 2)
    assert (sums[:, 0] == 3000).all()
    assert len(set(sums[:, 1])) == 200
    assert sums[:, 1].mean() == pytest.approx(values[:, 1].sum(), rel=0.01)


def test_speakers_whose_errors_go_together_make_the_interval_wider():
    speakers = [speaker for speaker in "abcdefgh" for _ in range(50)]
    counts = [Counts(8, 2) if speaker in "abcd" else Counts(10) for speaker in speakers]
    units = scoring.by_unit(speakers, counts)
    assert [one.errors for one in units] == [100] * 4 + [0] * 4
    over_speakers, over_utterances = scoring.interval(units), scoring.interval(counts)
    assert over_speakers.high - over_speakers.low > 3 * (over_utterances.high - over_utterances.low)


def test_errors_are_tallied_by_word():
    pairs = [scoring.align("the cat sat down", "a the cats sat"), scoring.align("cat", "cats")]
    found = tally(pairs)
    assert found.substitutions == {("cat", "cats"): 2}
    assert found.deletions == {"down": 1}
    assert found.insertions == {"a": 1}
    first = found.words[0]
    assert (first.word, first.hits, first.said, first.heard, first.errors) == ("cat", 0, 2, 0, 2)
    assert most_common(found.hits) == [("sat", 1), ("the", 1)]


def test_words_are_fixed_and_broken():
    said = "one two three"
    before, after = scoring.align(said, "one too three uh"), scoring.align(said, "won two three")
    found = changes([before], [after])
    assert found.fixed == {("two", "too"): 1, (None, "uh"): 1}
    assert found.broken == {("one", "won"): 1}
    assert changes([before], [before]).fixed == {}
