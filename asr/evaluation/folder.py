"""An evaluation as a folder, written for people and other tools, and read back whole.

results.json       every number (``figures``)
utterances.jsonl   a manifest with what was heard: all that is read back
utterances.tsv     a row an utterance
errs.txt           icefall's: confusions, deletions, insertions, words
alignments.txt     REF, HYP and S D I, worst first
ref.trn, hyp.trn   for sclite
ref.stm, hyp.ctm   the same with times, where these are known
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.errors import ManifestError
from asr.evaluation import text_files
from asr.evaluation.figures import figures
from asr.evaluation.scored import Evaluation, Scored, Setup, score
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.types import Word
from asr.whole_files import write_text

RESULTS, UTTERANCES = "results.json", "utterances.jsonl"
SCORED = "scored"
"""The key of a line of ``UTTERANCES`` that holds what was heard."""
TIMED = {"ref.stm": text_files.stm, "hyp.ctm": text_files.ctm}
"""Without times they would say that nothing was heard."""


def save(
    folder: str | os.PathLike[str],
    evaluation: Evaluation,
    *,
    by: Sequence[str] = (),
    training: Counter[str] | None = None,
) -> dict[str, Any]:
    """Write all files, ``results.json`` last, for without it a folder is no evaluation; returns what that holds.

    Raises:
        ManifestError: a field of ``by`` does not exist, or the folder cannot be written.
    """
    folder = Path(folder)
    found = figures(evaluation, by, training)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (RESULTS, *TIMED):
            (folder / name).unlink(missing_ok=True)
        for name, text in _texts(evaluation).items():
            write_text(folder / name, text)
        write_manifest(folder / UTTERANCES, _lines(evaluation))
        write_text(folder / RESULTS, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ManifestError(
            f"{folder}: cannot be written ({error}); give a folder (-o DIR) with room."
        ) from None
    return found


def load(folder: str | os.PathLike[str]) -> Evaluation:
    """What ``save`` wrote.

    Raises:
        ManifestError: it holds no evaluation, or a damaged one.
    """
    folder = Path(folder)
    try:
        found = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        setup = Setup(**found["setup"])
        utterances = read_manifest(folder / UTTERANCES, needs_audio=False)
        return Evaluation(tuple(_read(one, setup) for one in utterances), found["seconds"], setup)
    except OSError:
        raise ManifestError(
            f"{folder}: no evaluation; `asr evaluate -o` and `asr score -o` write one."
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise ManifestError(f"{folder}: a damaged evaluation ({error}); write it again.") from None


def _texts(evaluation: Evaluation) -> dict[str, str]:
    utterances = evaluation.utterances
    return {
        "utterances.tsv": text_files.tsv(evaluation),
        "errs.txt": text_files.errs(evaluation),
        "alignments.txt": text_files.alignments(evaluation),
        "ref.trn": text_files.trn(evaluation, [scored.reference for scored in utterances]),
        "hyp.trn": text_files.trn(evaluation, [scored.hypothesis for scored in utterances]),
        **{name: write(evaluation) for name, write in TIMED.items() if evaluation.has_times},
    }


def _lines(evaluation: Evaluation) -> list[Utterance]:
    return [
        replace(scored.utterance, extra={**scored.utterance.extra, "id": name, SCORED: _line(scored)})
        for name, scored in zip(evaluation.ids, evaluation.utterances, strict=True)
    ]


def _line(scored: Scored) -> dict[str, Any]:
    words = [[word.text, word.start, word.end, word.confidence] for word in scored.heard]
    return {
        "reference": scored.reference,
        "hypothesis": scored.hypothesis,
        "failure": scored.failure,
        "heard": words,
        "alternatives": scored.alternatives,
        "greedy": scored.greedy,
    }


def _read(utterance: Utterance, setup: Setup) -> Scored:
    extra = dict(utterance.extra)
    line = extra.pop(SCORED)
    return score(
        replace(utterance, extra=extra),
        line["reference"],
        line["hypothesis"],
        line["failure"],
        weights=setup.weights,
        heard=tuple(Word(*word) for word in line["heard"]),
        alternatives=tuple(line["alternatives"]),
        greedy=line["greedy"],
    )
