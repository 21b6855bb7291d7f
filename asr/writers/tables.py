"""A line a recording, or a line a word."""

from collections.abc import Mapping
from typing import Any

from asr.types import AlignedWord, Hypothesis, Transcript


def as_txt(name: str, transcript: Transcript, meta: Mapping[str, Any]) -> str:
    """One line, empty where nothing was heard, so that lines and recordings pair up.

    With alternatives a line each: rank, score, its acoustic and its language part, text, with tabs.
    """
    if not transcript.alternatives:
        return transcript.text + "\n"
    return "".join(_ranked(rank, one) for rank, one in enumerate(transcript.alternatives, 1))


def as_ctm(name: str, transcript: Transcript, meta: Mapping[str, Any]) -> str:
    """NIST's conversation time marks: file, channel, start, duration, word, confidence.

    Of a text that was given, words without a place stand in comments.
    """
    file = "_".join(name.split())  # a blank would begin the next column
    lines = []
    for word in transcript.words:
        lines.append(
            f"{file} 1 {word.start:.2f} {word.end - word.start:.2f} {word.text} {word.confidence:.3f}\n"
        )
        if isinstance(word, AlignedWord) and not word.aligned:
            lines[-1] = f";; unaligned: {lines[-1]}"
    return "".join(lines)


def _ranked(rank: int, one: Hypothesis) -> str:
    scores = ("-" if score is None else f"{score:.3f}" for score in (one.score, one.acoustic, one.language))
    return "\t".join([str(rank), *scores, one.text]) + "\n"
