"""Subtitles read back by other people's libraries, and the rules of where they break."""

import io
from collections.abc import Sequence
from itertools import pairwise

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.types import Transcript, Word
from asr.writers import FORMATS
from asr.writers.segments import LINE_LENGTH, LONGEST, lines, make_segments, shown


def said(text: str, pauses: dict[str, float] | None = None, letter: float = 0.06) -> tuple[Word, ...]:
    """A word of the text each ``letter`` seconds a letter, with 0.02 s or the given pause behind it."""
    words, now = [], 0.0
    for token in text.split():
        words.append(Word(token, now, now + letter * len(token), 0.9))
        now = words[-1].end + (pauses or {}).get(token, 0.02)
    return tuple(words)


def transcript(words: Sequence[Word]) -> Transcript:
    return Transcript(" ".join(word.text for word in words), tuple(words), -1.0, 9.0)


def texts(words: Sequence[Word]) -> list[str]:
    return [" ".join(word.text for word in segment) for segment in make_segments(words)]


TALE = said(
    "The enclosure had formerly been very extensive, but was now contracted within small compass and hemmed "
    "about. Partly by high wooden fences, and partly by the outbuildings of houses <that> stood on & over",
    {"about.": 0.4},
)


def test_both_kinds_are_read_back_by_their_libraries():
    read = list(srt.parse(FORMATS["srt"]("x.wav", transcript(TALE))))
    assert [subtitle.index for subtitle in read] == list(range(1, len(read) + 1))
    assert " ".join(subtitle.content.replace("\n", " ") for subtitle in read) == transcript(TALE).text
    captions = webvtt.from_buffer(io.StringIO(FORMATS["vtt"]("x.wav", transcript(TALE)))).captions
    times = [(subtitle.start.total_seconds(), subtitle.end.total_seconds()) for subtitle in read]
    assert [(one.start_in_seconds, one.end_in_seconds) for one in captions] == [
        (int(start), int(end)) for start, end in times
    ]
    assert times == [
        (pytest.approx(start, abs=1e-3), pytest.approx(end, abs=1e-3))
        for start, end, _ in shown(make_segments(TALE))
    ]
    text = " ".join(" ".join(one.raw_text.split()) for one in captions)
    assert text == transcript(TALE).text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_nothing_said_is_no_subtitle():
    assert FORMATS["srt"]("x.wav", transcript(())) == ""
    assert FORMATS["vtt"]("x.wav", transcript(())) == "WEBVTT\n"
    assert FORMATS["tsv"]("x.wav", transcript(())) == "start\tend\ttext\n"


def test_hours_have_two_digits():
    late = transcript((Word("late", 3725.5, 3727.0, 1.0),))
    assert FORMATS["srt"]("x.wav", late) == "1\n01:02:05,500 --> 01:02:07,000\nlate\n"


def test_tsv_is_whispers_milliseconds():
    words = (Word("a", 0.0, 1.0, 1.0), Word("b", 1.25, 1.5, 1.0), Word("c", 9.0, 9.5, 1.0))
    assert FORMATS["tsv"]("x.wav", transcript(words)) == "start\tend\ttext\n0\t1500\ta b\n9000\t9500\tc\n"


def test_breaks_come_after_sentences_and_clauses_and_before_conjunctions():
    assert texts(TALE)[0].endswith("hemmed about.") or texts(TALE)[0].endswith("extensive,")
    assert any(text.endswith("about.") for text in texts(TALE))
    upper, lower = lines(said("we looked at the old house because the garden was so very green"))
    assert (upper, lower) == ("we looked at the old house", "because the garden was so very green")


def test_a_pause_breaks_where_nothing_else_does():
    words = said("one two three four five six seven eight nine ten eleven twelve zero", {"five": 1.2})
    assert texts(words)[0] == "one two three four five"


def test_no_word_is_left_alone():
    words = said(" ".join(["seven"] * 15))  # 89 characters: more than two lines
    sizes = [len(text.split()) for text in texts(words)]
    assert sum(sizes) == 15
    assert min(sizes) > 1


def test_short_subtitles_stay_for_a_second_if_they_can():
    (first, second) = shown(make_segments([Word("hm", 0.0, 0.2, 1.0), Word("yes", 1.5, 1.7, 1.0)]))
    assert first[:2] == (0.0, 1.0)
    assert second[:2] == (1.5, 2.5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 20), st.floats(0.0, 0.8), st.sampled_from([0.0, 0.0, 0.1, 0.4, 2.0])),
        min_size=1,
        max_size=40,
    )
)
def test_every_word_stands_once_within_the_limits(drawn):
    words, now = [], 0.0
    for length, seconds, pause in drawn:
        words.append(Word("x" * length, now, now + seconds, 0.5))
        now += seconds + pause
    segments = make_segments(words)
    assert [word for segment in segments for word in segment] == words
    for segment in segments:
        assert len(segment) == 1 or segment[-1].end - segment[0].start <= LONGEST
        assert len(lines(segment)) <= 2
        assert max(map(len, lines(segment))) <= LINE_LENGTH
    times = [(start, end) for start, end, _ in shown(segments)]
    assert all(start < end <= start + LONGEST for start, end in times)
    assert all(end <= following for (_, end), (following, _) in pairwise(times))


def test_a_word_longer_than_a_line_has_one_to_itself():
    words = [Word("short", 0.0, 0.5, 1.0), Word("x" * 50, 0.6, 1.5, 1.0), Word("y", 1.6, 1.7, 1.0)]
    assert "x" * 50 in texts(words)
