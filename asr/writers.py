"""Transcripts as text, JSON, subtitles, tables: one function a format, one table that names them.

txt   the text, a line a recording          srt, vtt   subtitles of at most seven words
json  everything, an object a line          tsv, ctm   a word a line, for spreadsheets and for sclite
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict

from asr.types import Hypothesis, Transcript, Word

WORDS_A_SUBTITLE = 7
LONGEST_PAUSE = 1.0
"""Seconds of silence that begin a new subtitle."""


def as_txt(name: str, transcript: Transcript) -> str:
    """One line, empty where nothing was heard, so that lines and recordings pair up.

    With alternatives a line each: rank, score, its acoustic and its language part, text, with tabs.
    """
    if not transcript.alternatives:
        return transcript.text + "\n"
    return "".join(_ranked(rank, one) for rank, one in enumerate(transcript.alternatives, 1))


def as_json(name: str, transcript: Transcript) -> str:
    """One object a line: ``file``, ``text``, ``duration``, ``score``, ``words`` with times and confidences.

    With alternatives, also those: ``text``, ``score``, ``acoustic``, ``language``.
    """
    words = [_rounded(asdict(word)) for word in transcript.words]
    entry: dict[str, object] = {
        "file": name,
        "text": transcript.text,
        "duration": round(transcript.duration, 3),
        "score": _number(transcript.score, 4),
        "words": words,
    }
    if transcript.alternatives:
        keys = ("text", "score", "acoustic", "language")
        entry["alternatives"] = [
            _rounded({key: getattr(one, key) for key in keys}) for one in transcript.alternatives
        ]
    return json.dumps(entry, ensure_ascii=False) + "\n"


def as_srt(name: str, transcript: Transcript) -> str:
    """SubRip: numbered, hours always, a comma before the milliseconds."""
    blocks = [
        f"{number}\n{_clock(words[0].start, ',')} --> {_clock(words[-1].end, ',')}\n{_line(words)}\n"
        for number, words in enumerate(_subtitles(transcript), 1)
    ]
    return "\n".join(blocks)


def as_vtt(name: str, transcript: Transcript) -> str:
    """WebVTT, which browsers read."""
    blocks = [
        f"{_clock(words[0].start, '.')} --> {_clock(words[-1].end, '.')}\n{_line(words)}\n"
        for words in _subtitles(transcript)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def as_tsv(name: str, transcript: Transcript) -> str:
    """``file, start, end, confidence, word`` with tabs; seconds."""
    return "".join(
        f"{name}\t{word.start:.3f}\t{word.end:.3f}\t{word.confidence:.3f}\t{word.text}\n"
        for word in transcript.words
    )


def as_ctm(name: str, transcript: Transcript) -> str:
    """NIST's conversation time marks: file, channel, start, duration, word, confidence."""
    file = "_".join(name.split())  # a blank would begin the next column
    return "".join(
        f"{file} 1 {word.start:.2f} {word.end - word.start:.2f} {word.text} {word.confidence:.3f}\n"
        for word in transcript.words
    )


FORMATS: dict[str, Callable[[str, Transcript], str]] = {
    "txt": as_txt,
    "json": as_json,
    "srt": as_srt,
    "vtt": as_vtt,
    "tsv": as_tsv,
    "ctm": as_ctm,
}


def _ranked(rank: int, one: Hypothesis) -> str:
    scores = ("-" if score is None else f"{score:.3f}" for score in (one.score, one.acoustic, one.language))
    return "\t".join([str(rank), *scores, one.text]) + "\n"


def _subtitles(transcript: Transcript) -> Iterator[list[Word]]:
    words: list[Word] = []
    for word in transcript.words:
        if words and (len(words) == WORDS_A_SUBTITLE or word.start - words[-1].end > LONGEST_PAUSE):
            yield words
            words = []
        words.append(word)
    if words:
        yield words


def _line(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


def _clock(seconds: float, mark: str) -> str:
    """Example: 3725.5 with a comma -> 01:02:05,500"""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"


def _rounded(entry: dict[str, object]) -> dict[str, object]:
    return {key: _number(value, 3) if isinstance(value, float) else value for key, value in entry.items()}


def _number(value: float, digits: int) -> float | None:
    """JSON has no infinity, which is the score of a text that cannot be."""
    return round(value, digits) if math.isfinite(value) else None
