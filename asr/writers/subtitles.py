"""Subtitles: SubRip, WebVTT, and Whisper's table of them."""

from collections.abc import Mapping
from typing import Any

from asr.types import Transcript
from asr.writers.segments import lines, make_segments, shown


def as_srt(name: str, transcript: Transcript, meta: Mapping[str, Any]) -> str:
    """SubRip: numbered, hours always, a comma before the milliseconds."""
    return "\n".join(
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n"
        + "".join(f"{line}\n" for line in lines(words))
        for number, (start, end, words) in enumerate(shown(make_segments(transcript.words)), 1)
    )


def as_vtt(name: str, transcript: Transcript, meta: Mapping[str, Any]) -> str:
    """WebVTT, which browsers read."""
    blocks = [
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n"
        + "".join(f"{_escaped(line)}\n" for line in lines(words))
        for start, end, words in shown(make_segments(transcript.words))
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def as_tsv(name: str, transcript: Transcript, meta: Mapping[str, Any]) -> str:
    """``start, end, text`` with tabs, as Whisper writes them: milliseconds, below a line of names."""
    rows = [
        f"{_milliseconds(words[0].start)}\t{_milliseconds(words[-1].end)}\t{' '.join(word.text for word in words)}\n"
        for words in make_segments(transcript.words)
    ]
    return "".join(["start\tend\ttext\n", *rows])


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _clock(seconds: float, mark: str) -> str:
    """Example: 3725.5 with a comma -> 01:02:05,500"""
    hours, rest = divmod(_milliseconds(seconds), 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
