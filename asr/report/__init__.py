"""An evaluation as one HTML file that opens offline: rates, plots, tables, and every utterance to look at and hear."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from asr.errors import AsrError
from asr.evaluation import Evaluation
from asr.evaluation.diagnosis import worst_first
from asr.evaluation.figures import figures
from asr.hearing import Heard
from asr.recognizer import Recognizer
from asr.report.page import page
from asr.report.rows import rows
from asr.report.sections import Figures, sections
from asr.report.sight import look
from asr.report.sound import embed
from asr.report.strips import picture
from asr.whole_files import write_text

PICTURES = 50
"""Utterances, the worst, that a report has pictures of: some 5 kB a second of speech each."""

_UTTERANCES = """<section><h2>Utterances</h2><div id="utterances"></div>
<noscript>This table needs JavaScript; utterances.tsv and alignments.txt hold it as text.</noscript></section>"""


def write_report(
    path: str | os.PathLike[str],
    evaluation: Evaluation,
    title: str,
    found: Figures | None = None,
    *,
    recognizer: Recognizer | None = None,
    num_pictures: int = PICTURES,
    embed_audio: bool = False,
    on_picture: Callable[[], None] = lambda: None,
) -> None:
    """Write beside, then rename. ``found`` are the ``figures``, where they are known.

    With the ``recognizer`` that was evaluated, the worst ``num_pictures`` utterances are heard once more and shown
    as it sees them; ``embed_audio`` puts their sound into the page, instead of links to the files.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    order = worst_first(evaluation)
    data: dict[str, Any] = {"rows": rows(evaluation, order, path.parent)}
    if recognizer is not None:
        for number, shown in _pictures(recognizer, evaluation, order[:num_pictures], embed_audio):
            data[f"picture-{number}"] = shown
            on_picture()
    write_text(path, page(title, sections(evaluation, found or figures(evaluation)) + _UTTERANCES, data))


def _pictures(
    recognizer: Recognizer, evaluation: Evaluation, order: Sequence[int], embed_audio: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """By place in ``order``; what cannot be read has none."""
    shown = [evaluation.utterances[place] for place in order]
    heard = recognizer.hear_all([scored.utterance for scored in shown], batch_size=1)
    for number, (scored, one) in enumerate(zip(shown, heard, strict=True)):
        if not isinstance(one, Heard):
            continue
        try:
            sight = look(recognizer, scored.utterance, one, scored.heard, scored.reference)
        except AsrError:
            continue
        sound = {}
        if embed_audio and sight.waveform is not None:
            sound["audio"] = embed(sight.waveform, sight.sample_rate)
        yield number, {**picture(sight), **sound}
