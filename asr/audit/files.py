"""An audit as files: a row an utterance in audit.tsv, everything in audit.json."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from asr.audit.verdicts import Audit, Verdict

COLUMNS = ("rank", "line", "doubt", "fault", "text", "heard", "remarks", "utterance")


def table(audit: Audit, lines: Sequence[int], most: int | None = None) -> str:
    """Tab-separated, the most doubtful first; ``lines`` are the manifest's numbers of the utterances."""
    rows = [COLUMNS, *(_row(rank, one, lines) for rank, one in enumerate(audit.verdicts[:most], 1))]
    return "".join("\t".join(map(_plain, row)) + "\n" for row in rows)


def document(audit: Audit, lines: Sequence[int], setup: dict[str, Any]) -> str:
    """JSON: how it was made, what it can find, and each verdict; ``doubt`` is null where no model was needed."""
    verdicts = [_entry(one, lines) for one in audit.verdicts]
    found = {"setup": setup, "power": dict(audit.power), "utterances": verdicts}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def marked(verdict: Verdict) -> str:
    """The text with what does not fit: ``*word*``, and ``...`` where something seems to be missing."""
    return " ".join(f"*{word}*" if is_unfit else word for word, is_unfit in pieces(verdict))


def pieces(verdict: Verdict) -> Iterator[tuple[str, bool]]:
    """The words and whether they do not fit; ``...`` for a gap."""
    for place, token in enumerate(verdict.tokens):
        if place in verdict.gaps:
            yield "...", False
        yield token, place in verdict.unfit
    if len(verdict.tokens) in verdict.gaps:
        yield "...", False


def _row(rank: int, one: Verdict, lines: Sequence[int]) -> tuple[str, ...]:
    return (
        str(rank),
        str(lines[one.index]),
        doubt(one),
        one.fault,
        marked(one),
        one.heard,
        "; ".join(one.remarks),
        one.utterance.name,
    )


def doubt(verdict: Verdict) -> str:
    """As it is printed."""
    return f"{verdict.doubt:.2f}"


def _plain(cell: str) -> str:
    return " ".join(cell.split())


def _entry(one: Verdict, lines: Sequence[int]) -> dict[str, Any]:
    return {
        "line": lines[one.index],
        "utterance": one.utterance.name,
        "speaker": one.utterance.speaker,
        "doubt": round(one.doubt, 3) if one.doubt < float("inf") else None,
        "fault": one.fault,
        "text": one.utterance.text,
        "tokens": one.tokens,
        "unfit": one.unfit,
        "gaps": one.gaps,
        "heard": one.heard,
        "remarks": one.remarks,
    }
