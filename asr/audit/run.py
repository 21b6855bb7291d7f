"""A manifest audited: what needs no model first, then each part by its model."""

from collections.abc import Callable, Sequence

from asr.audit.hearing import hear
from asr.audit.judging import Notes, judge, merge
from asr.audit.verdicts import Audit
from asr.corpus.check import Requirements, check
from asr.manifest import Utterance
from asr.recognizer import Recognizer

MAY_BE_RIGHT = ("characters", "duration")
"""Defects that say nothing of whether text and sound belong together."""


def audit(
    utterances: Sequence[Utterance],
    parts: Sequence[tuple[Callable[[], Recognizer], Sequence[int]]],
    requirements: Requirements | None = None,
    *,
    batch_size: int = 8,
    on_check: Callable[[int, int], None] = lambda done, total: None,
    on_heard: Callable[[Utterance], None] = lambda utterance: None,
) -> Audit:
    """All of them, the most doubtful first.

    Each of ``parts`` is how to load a model and the positions of what it is to judge, best what it was not trained
    on. ``requirements`` are those of ``corpus.check``.

    Raises:
        ManifestError: a model has too little to learn from what is usual.
    """
    defects, notes = _known(utterances, requirements, on_check)
    audits = []
    for load, indices in parts:
        heard = hear(load(), utterances, indices, batch_size=batch_size, on_progress=on_heard)
        audits.append(judge(list(heard), defects, notes))
    return merge(audits)


def _known(
    utterances: Sequence[Utterance], requirements: Requirements | None, on_check: Callable[[int, int], None]
) -> tuple[Notes, Notes]:
    """What decides without a model, and what is only to be mentioned."""
    decisive: dict[int, list[str]] = {}
    notes: dict[int, list[str]] = {}
    for defect in check({"": utterances}, requirements, on_check):
        decides = defect.severity == "error" and defect.kind not in MAY_BE_RIGHT
        (decisive if decides else notes).setdefault(defect.index, []).append(defect.message)
    return decisive, notes
