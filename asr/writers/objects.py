"""JSON with the names that Whisper's has, and what it lacks."""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from asr.types import Alignment, Transcript, Word
from asr.writers.segments import make_segments


def as_json(name: str, transcript: Transcript, meta: Mapping[str, Any]) -> str:
    """One object a line: the keys of Whisper's ``--output_format json``, and file, duration, score, words, ``_meta``.

    With alternatives, also those: ``text``, ``score``, ``acoustic``, ``language``. Of an alignment, words also have
    ``characters``, ``score`` and ``aligned``, and ``extra`` and ``unwritable`` are as in ``asr.types.Alignment``.
    """
    segments = make_segments(transcript.words)
    entry: dict[str, Any] = {
        "file": name,
        "text": transcript.text,
        "segments": [_segment(number, words) for number, words in enumerate(segments)],
        "language": None,
        "duration": transcript.duration,
        "score": transcript.score,
        "confidence": _mean([word.confidence for word in transcript.words]),
        "words": [asdict(word) for word in transcript.words],
    }
    if transcript.alternatives:
        keys = ("text", "score", "acoustic", "language")
        entry["alternatives"] = [{key: getattr(one, key) for key in keys} for one in transcript.alternatives]
    if isinstance(transcript, Alignment):
        entry["extra"] = [asdict(stretch) for stretch in transcript.extra]
        entry["unwritable"] = transcript.unwritable
    if meta:
        entry["_meta"] = dict(meta)
    return json.dumps(_finite(entry), ensure_ascii=False) + "\n"


def _segment(number: int, words: Sequence[Word]) -> dict[str, Any]:
    """As Whisper has it, where words begin with their space; null and empty are what has no meaning here."""
    text = "".join(f" {word.text}" for word in words)
    return {
        "id": number,
        "seek": int(100 * words[0].start),
        "start": words[0].start,
        "end": words[-1].end,
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": _mean([math.log(word.confidence) for word in words if word.confidence > 0]),
        "compression_ratio": _compression_ratio(text.strip()),
        "no_speech_prob": None,
        "words": [
            {
                "word": f" {word.text}",
                "start": word.start,
                "end": word.end,
                "probability": word.confidence,
            }
            for word in words
        ],
    }


def _compression_ratio(text: str) -> float:
    """As Whisper reckons it: above 2.4, a text repeats itself."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _finite(value: Any) -> Any:
    """Numbers to three digits behind the point; JSON has no infinity, which is the score of a text that cannot be."""
    match value:
        case float():
            return round(value, 3) if math.isfinite(value) else None
        case dict():
            return {key: _finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
    return value
