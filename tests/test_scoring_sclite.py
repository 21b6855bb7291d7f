"""NIST's tools and ours, on the same texts: every count, and the whole matched-pairs test."""

from typing import Any

import pytest
import sctk

from asr import scoring
from asr.scoring import matched_pairs

TEXTS = {name: [" ".join(line) for line in lines] for name, lines in sctk.texts().items()}


@pytest.fixture(scope="module", params=["stored", *(["live"] if sctk.IS_INSTALLED else [])])
def theirs(request, tmp_path_factory) -> dict[str, Any]:
    return sctk.stored() if request.param == "stored" else sctk.measure(tmp_path_factory.mktemp("sctk"))


def alignments(name: str) -> list[list[scoring.Pair]]:
    rows = zip(TEXTS["ref"], TEXTS[name], strict=True)
    return [scoring.align(said, heard, "sclite") for said, heard in rows]


@pytest.mark.parametrize("name", sctk.RATES)
def test_every_utterance_has_sclites_counts(theirs, name):
    counts = [scoring.count(pairs) for pairs in alignments(name)]
    ours = [[one.hits, one.substitutions, one.deletions, one.insertions] for one in counts]
    assert dict(zip(sctk.ids(), ours, strict=True)) == theirs["counts"][name]


@pytest.mark.parametrize("pair", ["a-b", "a-c", "d-a"])
def test_the_matched_pairs_test_is_that_of_sc_stats(theirs, pair):
    one, other = pair.split("-")
    found = matched_pairs.test(alignments(one), alignments(other))
    numbers = [f"{number:.3f}" for number in (found.mean, found.deviation, found.z)]
    verdict = "Yes" if found.is_significant else "No"
    assert [str(found.num_segments), *numbers, verdict] == theirs["tests"][pair]


def test_both_verdicts_are_among_them(theirs):
    assert {numbers[-1] for numbers in theirs["tests"].values()} == {"Yes", "No"}


def test_prices_can_count_more_errors_than_there_need_be():
    said, heard = "go on then my friend", "well you go home on"
    assert scoring.count_words(said, heard) == scoring.Counts(substitutions=5)
    assert scoring.count_words(said, heard, "sclite") == scoring.Counts(hits=2, deletions=3, insertions=3)


def test_words_that_are_the_same_are_paired_at_the_end_first():
    assert scoring.align("one two", "one one two", "sclite") == [
        (None, "one"),
        ("one", "one"),
        ("two", "two"),
    ]
    assert scoring.align("", "a", "sclite") == [(None, "a")]
    assert scoring.align("a", "", "sclite") == [("a", None)]
    assert scoring.align("", "", "sclite") == []


def test_segments_end_where_both_have_two_words_right():
    said = "a b c d e f"
    ours, theirs = (scoring.align(said, heard) for heard in ("x b c d e y", "a b c d e f"))
    assert list(matched_pairs.segments(ours, theirs)) == [(1, 0), (1, 0)]
    ours = scoring.align(said, "x b y d e f")  # one right word between: one segment
    assert list(matched_pairs.segments(ours, theirs)) == [(2, 0)]
    assert list(matched_pairs.segments(theirs, theirs)) == []


def test_an_insertion_between_two_right_words_parts_them():
    ours, theirs = scoring.align("a b c d", "x b u c d"), scoring.align("a b c d", "a b c d")
    assert list(matched_pairs.segments(ours, theirs)) == [(2, 0)]


def test_nothing_to_tell_apart_is_no_difference():
    same = [scoring.align("a b", "a x")]
    assert matched_pairs.test(same, same).p_value == 1.0
    assert matched_pairs.test([], []).num_segments == 0
