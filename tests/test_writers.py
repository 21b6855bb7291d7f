import json
import math

import pytest

from asr.types import Hypothesis, Transcript, Word
from asr.writers import FORMATS

WORDS = tuple(
    Word(text, start, start + 0.4, 0.9)
    for text, start in zip(["a", "b", "c", "d", "e", "f", "g", "h", "i"], range(9), strict=True)
)
CLOSE = tuple(Word(word.text, 0.5 * n, 0.5 * n + 0.4, 0.95) for n, word in enumerate(WORDS))
TRANSCRIPT = Transcript("a b c d e f g h i", CLOSE, -1.5, 5.0)
NOTHING = Transcript("", (), -0.1, 1.0)


def test_txt_is_the_text_and_a_line_end() -> None:
    assert FORMATS["txt"]("x.wav", TRANSCRIPT) == "a b c d e f g h i\n"
    assert FORMATS["txt"]("x.wav", NOTHING) == "\n"


def test_json_is_one_line_that_keeps_every_script() -> None:
    line = FORMATS["json"]("x.wav", Transcript("привет", (Word("привет", 0, 1, 1.0),), -1.0, 1.0))
    assert line.count("\n") == 1
    assert "привет" in line
    assert json.loads(line)["words"] == [{"text": "привет", "start": 0, "end": 1, "confidence": 1.0}]


def test_alternatives_have_a_line_or_an_entry_each() -> None:
    best = (Hypothesis("a", -1.5, (), -2.0, 0.5), Hypothesis("b", -3.25))
    transcript = Transcript("a", (), -1.5, 1.0, best)
    assert FORMATS["txt"]("x.wav", transcript) == "1\t-1.500\t-2.000\t0.500\ta\n2\t-3.250\t-\t-\tb\n"
    assert json.loads(FORMATS["json"]("x.wav", transcript))["alternatives"] == [
        {"text": "a", "score": -1.5, "acoustic": -2.0, "language": 0.5},
        {"text": "b", "score": -3.25, "acoustic": None, "language": None},
    ]
    assert "alternatives" not in json.loads(FORMATS["json"]("x.wav", TRANSCRIPT))


def test_srt_has_numbers_hours_and_at_most_seven_words() -> None:
    assert FORMATS["srt"]("x.wav", TRANSCRIPT) == (
        "1\n00:00:00,000 --> 00:00:03,400\na b c d e f g\n\n2\n00:00:03,500 --> 00:00:04,400\nh i\n"
    )


def test_a_pause_begins_a_new_subtitle() -> None:
    apart = Transcript("a b", (Word("a", 0.0, 1.0, 1.0), Word("b", 3725.5, 3726.0, 1.0)), 0.0, 4000.0)
    assert FORMATS["vtt"]("x.wav", apart) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na\n\n01:02:05.500 --> 01:02:06.000\nb\n"
    )


def test_tsv_and_ctm_have_a_word_a_line() -> None:
    assert FORMATS["tsv"]("x.wav", TRANSCRIPT).splitlines()[1] == "x.wav\t0.500\t0.900\t0.950\tb"
    assert FORMATS["ctm"]("my file.wav", TRANSCRIPT).splitlines()[1] == "my_file.wav 1 0.50 0.40 b 0.950"


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_heard_is_no_error(name: str) -> None:
    assert isinstance(FORMATS[name]("x.wav", NOTHING), str)


def test_a_text_that_cannot_be_has_no_score_in_json() -> None:
    entry = json.loads(
        FORMATS["json"]("a.wav", Transcript("", (), -math.inf, 1.0)), parse_constant=pytest.fail
    )
    assert (entry["text"], entry["score"]) == ("", None)
