"""Praat's TextGrid, in its long text format."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from asr.types import AlignedWord, Alignment, Transcript


class _Interval(NamedTuple):
    start: float
    end: float
    text: str


def as_textgrid(name: str, transcript: Transcript, meta: Mapping[str, Any]) -> str:
    """The tier ``words``; of an alignment also ``characters``, and where there are any ``unaligned`` and ``extra``.

    ``unaligned`` has a point for each word that has no place or scores too low, ``extra`` an interval ``<speech>``
    for what the text lacks.
    """
    last = max([transcript.duration, *(word.end for word in transcript.words)])
    words = [_Interval(word.start, word.end, word.text) for word in transcript.words]
    tiers = [_intervals("words", words, last)]
    if isinstance(transcript, Alignment):
        letters = [letter for word in transcript.words for letter in word.characters]
        own = [_Interval(letter.start, letter.end, letter.text) for letter in letters]
        tiers.append(_intervals("characters", own, last))
        unaligned = [word for word in transcript.words if not word.aligned]
        tiers += [_points("unaligned", unaligned, last)] if unaligned else []
        extra = [_Interval(stretch.start, stretch.end, "<speech>") for stretch in transcript.extra]
        tiers += [_intervals("extra", extra, last)] if extra else []
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {_number(last)}\n'
    body = "".join(f"    item [{number}]:\n{tier}" for number, tier in enumerate(tiers, 1))
    return f"{head}tiers? <exists>\nsize = {len(tiers)}\nitem []:\n{body}"


def _intervals(name: str, given: Sequence[_Interval], last: float) -> str:
    """With empty intervals between, for they leave no gap; what has no length has no interval."""
    filled: list[_Interval] = []
    now = 0.0
    for interval in [*(one for one in given if one.end > one.start), _Interval(last, last, "")]:
        if interval.start > now:
            filled.append(_Interval(now, interval.start, ""))
        if interval.end > interval.start:
            filled.append(interval)
        now = interval.end
    marks = (
        f"            xmin = {_number(start)}\n            xmax = {_number(end)}\n            text = {_quoted(text)}\n"
        for start, end, text in filled
    )
    return _tier("IntervalTier", name, "intervals", marks, last)


def _points(name: str, words: Iterable[AlignedWord], last: float) -> str:
    """In the middle of each word; those at one place are one point."""
    places = groupby(words, key=lambda word: _number((word.start + word.end) / 2))
    marks = (
        f"            number = {place}\n            mark = {_quoted(' '.join(word.text for word in here))}\n"
        for place, here in places
    )
    return _tier("TextTier", name, "points", marks, last)


def _tier(kind: str, name: str, what: str, marks: Iterable[str], last: float) -> str:
    numbered = [f"        {what} [{number}]:\n{mark}" for number, mark in enumerate(marks, 1)]
    return (
        f'        class = "{kind}"\n        name = "{name}"\n        xmin = 0\n        xmax = {_number(last)}\n'
        f"        {what}: size = {len(numbered)}\n{''.join(numbered)}"
    )


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
