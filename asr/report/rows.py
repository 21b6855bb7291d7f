"""Utterances as plain values for the page's script: what was said and heard, how it counts, where it lies."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from asr.evaluation import Evaluation, Scored
from asr.report.sound import link
from asr.report.strips import times
from asr.types import Word


def rows(evaluation: Evaluation, order: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """Of the utterances at those places; ``folder`` is the page's."""
    return [_row(evaluation.ids[place], evaluation.utterances[place], folder) for place in order]


def heard_row(name: str, words: Sequence[Word], seconds: float) -> dict[str, Any]:
    """Of a recording of which nobody knows what was said."""
    return _described(name, seconds, [word.text for word in words], words)


def _row(name: str, scored: Scored, folder: Path) -> dict[str, Any]:
    tokens = [said if said == heard else [said, heard] for said, heard in scored.pairs]
    utterance, words = scored.utterance, scored.words
    row = _described(name, utterance.duration, tokens, scored.heard)
    row["speaker"] = utterance.speaker
    row["words"] = words.num_reference
    row["counts"] = [words.substitutions, words.deletions, words.insertions]
    row["audio"] = link(utterance, folder)
    row["path"] = utterance.name if utterance.audio_filepath else None  # else nobody can embed any
    row["failure"] = scored.failure
    if scored.greedy not in (None, scored.hypothesis):
        row["greedy"] = scored.greedy
    if scored.alternatives:
        row["alternatives"] = scored.alternatives
    return {key: value for key, value in row.items() if value is not None}


def _described(name: str, seconds: float, tokens: Sequence[Any], heard: Sequence[Word]) -> dict[str, Any]:
    """``tokens`` are words, or [said, heard] where these differ; ``heard`` has the times of those heard, in order."""
    confidence = round(fmean(word.confidence for word in heard), 3) if heard else None
    return {
        "id": name,
        "seconds": round(seconds, 3),
        "tokens": tokens,
        "heard": times(heard),
        "confidence": confidence,
    }
