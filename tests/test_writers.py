"""Transcripts as text, JSON and CTM; what others read them with reads them back."""

import json
import math
import re
import subprocess
from pathlib import Path

import pytest
import sctk
from praatio import textgrid

from asr.cli.align import TimedFormat
from asr.types import AlignedWord, Alignment, Character, Hypothesis, Stretch, Transcript, Word
from asr.writers import FORMATS

WORDS = tuple(Word(text, 0.5 * n, 0.5 * n + 0.4, 0.95) for n, text in enumerate("abcdefghi"))
TRANSCRIPT = Transcript("a b c d e f g h i", WORDS, -1.5, 5.0)
NOTHING = Transcript("", (), -0.1, 1.0)
ALIGNMENT = Alignment(
    text='"Hi, yo there',
    words=(
        AlignedWord(
            *('"Hi,', 0.5, 0.9, 0.8),
            (Character("h", 0.5, 0.7, 0.0), Character("i", 0.7, 0.9, -0.5)),
            -0.25,
        ),
        AlignedWord("yo", 0.9, 0.9, 0.0, aligned=False),
        AlignedWord("there", 1.5, 2.0, 0.01, (Character("x", 1.5, 2.0, -6.0),), -6.0, aligned=False),
    ),
    score=-6.5,
    duration=3.0,
    extra=(Stretch(1.0, 1.4, 3.0),),
    unwritable=("7",),
)


def test_txt_is_the_text_and_a_line_end() -> None:
    assert FORMATS["txt"]("x.wav", TRANSCRIPT) == "a b c d e f g h i\n"
    assert FORMATS["txt"]("x.wav", NOTHING) == "\n"


def test_json_is_one_line_that_keeps_every_script() -> None:
    line = FORMATS["json"]("x.wav", Transcript("привет", (Word("привет", 0, 1, 1.0),), -1.0, 1.0))
    assert line.count("\n") == 1
    assert "привет" in line
    assert json.loads(line)["words"] == [{"text": "привет", "start": 0, "end": 1, "confidence": 1.0}]


def test_json_has_the_fields_of_whisper() -> None:
    entry = json.loads(FORMATS["json"]("x.wav", TRANSCRIPT, {"model": "m"}))
    assert {"text", "segments", "language"} <= entry.keys()
    (segment,) = entry["segments"]
    assert list(segment) == [
        *("id", "seek", "start", "end", "text", "tokens", "temperature"),
        *("avg_logprob", "compression_ratio", "no_speech_prob", "words"),
    ]
    assert (segment["start"], segment["end"], segment["text"]) == (0.0, 4.4, " " + TRANSCRIPT.text)
    assert segment["words"][1] == {"word": " b", "start": 0.5, "end": 0.9, "probability": 0.95}
    assert "".join(word["word"] for word in segment["words"]) == segment["text"]
    assert segment["avg_logprob"] == pytest.approx(math.log(0.95), abs=1e-3)
    assert (entry["confidence"], entry["_meta"]) == (0.95, {"model": "m"})
    assert json.loads(FORMATS["json"]("x.wav", NOTHING))["segments"] == []


def test_json_of_an_alignment_hides_nothing() -> None:
    entry = json.loads(FORMATS["json"]("x.wav", ALIGNMENT))
    assert [word["aligned"] for word in entry["words"]] == [True, False, False]
    assert [word["score"] for word in entry["words"]] == [-0.25, None, -6.0]
    assert entry["words"][0]["characters"][1] == {"text": "i", "start": 0.7, "end": 0.9, "score": -0.5}
    assert entry["extra"] == [{"start": 1.0, "end": 1.4, "score": 3.0}]
    assert entry["unwritable"] == ["7"]


def test_alternatives_have_a_line_or_an_entry_each() -> None:
    best = (Hypothesis("a", -1.5, (), -2.0, 0.5), Hypothesis("b", -3.25))
    transcript = Transcript("a", (), -1.5, 1.0, best)
    assert FORMATS["txt"]("x.wav", transcript) == "1\t-1.500\t-2.000\t0.500\ta\n2\t-3.250\t-\t-\tb\n"
    assert json.loads(FORMATS["json"]("x.wav", transcript))["alternatives"] == [
        {"text": "a", "score": -1.5, "acoustic": -2.0, "language": 0.5},
        {"text": "b", "score": -3.25, "acoustic": None, "language": None},
    ]
    assert "alternatives" not in json.loads(FORMATS["json"]("x.wav", TRANSCRIPT))


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_heard_is_no_error(name: str) -> None:
    assert isinstance(FORMATS[name]("x.wav", NOTHING), str)
    assert FORMATS[name].suffix.lower() == f".{name}"


def test_commands_take_every_format() -> None:
    assert list(TimedFormat) == [name for name, format in FORMATS.items() if format.timed]


def test_a_text_that_cannot_be_has_no_score_in_json() -> None:
    entry = json.loads(
        FORMATS["json"]("a.wav", Transcript("", (), -math.inf, 1.0)), parse_constant=pytest.fail
    )
    assert (entry["text"], entry["score"]) == ("", None)


CTM_LINE = re.compile(r"(\S+) (\S+) (\d+\.\d+) (\d+\.\d+) (\S+) ([01]\.\d+)")
"""NIST's rules: file, channel, start, duration, word, confidence; a line that begins with ;; is a comment."""


def test_ctm_keeps_the_rules_of_its_manual() -> None:
    written = FORMATS["ctm"]("my file.wav", TRANSCRIPT).splitlines()
    rows = [CTM_LINE.fullmatch(line) for line in written]
    assert written[1] == "my_file.wav 1 0.50 0.40 b 0.950"
    assert all(rows)
    starts = [float(row[3]) for row in rows]
    assert starts == sorted(starts), "sclite asks for it"
    aligned = FORMATS["ctm"]("x.wav", ALIGNMENT).splitlines()
    assert [line.startswith(";; unaligned: ") for line in aligned] == [False, True, True]


@pytest.mark.skipif(not sctk.IS_INSTALLED, reason="sctk (Debian) is missing; see the test above")
def test_sclite_scores_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "heard.ctm").write_text(FORMATS["ctm"]("x", TRANSCRIPT) + FORMATS["ctm"]("y", ALIGNMENT))
    (tmp_path / "said.stm").write_text('x 1 s 0.00 5.00 a b c d e f g x i\ny 1 s 0.00 3.00 "hi,\n')
    files = ["-r", str(tmp_path / "said.stm"), "stm", "-h", str(tmp_path / "heard.ctm"), "ctm"]
    done = subprocess.run(
        [sctk.BIN / "sclite", *files, "-o", "sum", "stdout"], capture_output=True, text=True, check=True
    )
    total = next(line for line in done.stdout.splitlines() if "Sum/Avg" in line)
    assert re.findall(r"[\d.]+", total)[:7] == ["2", "10", "90.0", "10.0", "0.0", "0.0", "10.0"]


def read_textgrid(path: Path, text: str) -> textgrid.Textgrid:
    path.write_text(text, encoding="utf-8")
    return textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")


def test_praatio_reads_the_words(tmp_path: Path) -> None:
    grid = read_textgrid(tmp_path / "a.TextGrid", FORMATS["textgrid"]("x.wav", TRANSCRIPT))
    assert grid.tierNames == ("words",)
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, 5)
    assert [tuple(entry) for entry in grid.getTier("words").entries] == [
        (word.start, word.end, word.text) for word in WORDS
    ]
    empty = read_textgrid(tmp_path / "b.TextGrid", FORMATS["textgrid"]("x.wav", NOTHING))
    assert empty.getTier("words").entries == ()


def test_praatio_reads_the_tiers_of_an_alignment(tmp_path: Path) -> None:
    grid = read_textgrid(tmp_path / "a.TextGrid", FORMATS["textgrid"]("x.wav", ALIGNMENT))
    entries = {name: [tuple(entry) for entry in grid.getTier(name).entries] for name in grid.tierNames}
    assert entries == {
        "words": [(0.5, 0.9, '"Hi,'), (1.5, 2.0, "there")],
        "characters": [(0.5, 0.7, "h"), (0.7, 0.9, "i"), (1.5, 2.0, "x")],
        "unaligned": [(0.9, "yo"), (1.75, "there")],
        "extra": [(1.0, 1.4, "<speech>")],
    }
