"""``asr classify``: recordings in, a label and its probability each on stdout."""

import enum
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import complain, progress_bar
from asr.cli.options import BatchSizeOption, DeviceOption, ModelOption

if TYPE_CHECKING:
    from asr.audio import Source
    from asr.classifier import Classified, Classifier
    from asr.errors import AsrError
    from asr.manifest import Utterance
    from asr.scoring.confusion import Confusion


class FormatName(enum.StrEnum):
    """What ``--format`` takes."""

    txt = "txt"
    json = "json"


def classify(
    model: ModelOption,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|FOLDER|MANIFEST|-...", help="Recordings, as `asr transcribe` takes them."
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Score these instead: accuracy, and what is taken for what.")
    ] = None,
    format: Annotated[FormatName, typer.Option("--format", "-f", help="txt or json.")] = FormatName.txt,
    with_filename: Annotated[
        bool, typer.Option("--with-filename", "-H", help="Begin each line of txt with its file and a tab.")
    ] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Also search the folders in folders.")
    ] = False,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 8,
) -> None:
    """Tell which label a recording has, with a model that `asr train recipe=fsdd_classify` makes.

    One line a recording, in the order given: its label, a tab, the probability. A recording that cannot be read leaves
    its line empty (in json, an object with its error), is named on stderr, and makes the exit code 1.

    Examples:

        asr classify seven.wav -m runs/fsdd_classify

        asr classify recordings/ -m runs/fsdd_classify -f json

        asr classify --manifest test.jsonl -m runs/fsdd_classify
    """
    from asr.classifier import load_classifier

    if bool(inputs) == (manifest is not None):
        raise typer.BadParameter("Give recordings, or --manifest to score one.")
    classifier = load_classifier(model, device=device)
    if manifest is not None:
        raise typer.Exit(_score(classifier, manifest, format, batch_size))
    from asr.transcription import find_jobs

    jobs = find_jobs(inputs or [], recursive=recursive)
    failures = []
    outcomes = _run(classifier, [job.open() for job in jobs], batch_size)
    for job, outcome in zip(jobs, outcomes, strict=True):
        print(_line(job.name, outcome, format, with_filename))
        failures += [str(outcome)] if isinstance(outcome, Exception) else []
    raise typer.Exit(_conclude(failures))


def _conclude(failures: Sequence[str]) -> int:
    """Returns the exit code."""
    for failure in failures:
        complain(failure)
    return 1 if failures else 0


def _run(
    classifier: "Classifier", sources: "Sequence[Source | Utterance]", batch_size: int
) -> "Iterator[Classified | AsrError]":
    with progress_bar() as progress:
        task = progress.add_task("classifying", total=len(sources))
        for outcome in classifier.classify_all(sources, batch_size=batch_size):
            yield outcome
            progress.advance(task)


def _line(name: str, outcome: "Classified | AsrError", format: FormatName, with_filename: bool) -> str:
    if format is FormatName.json:
        found = {"error": str(outcome)} if isinstance(outcome, Exception) else _figures(outcome)
        return json.dumps({"file": name, **found}, ensure_ascii=False)
    text = "" if isinstance(outcome, Exception) else f"{outcome.label}\t{outcome.probability:.4f}"
    return f"{name}\t{text}" if with_filename else text


def _figures(one: "Classified") -> dict[str, Any]:
    labels = {label: round(probability, 6) for label, probability in one.labels}
    return {"label": one.label, "probability": round(one.probability, 6), "labels": labels}


def _score(classifier: "Classifier", manifest: Path, format: FormatName, batch_size: int) -> int:
    """Returns the exit code; what cannot be read counts as wrong."""
    from asr.manifest import read_manifest
    from asr.scoring.confusion import confusion

    utterances = read_manifest(manifest)
    outcomes = list(_run(classifier, utterances, batch_size))
    heard = ["" if isinstance(one, Exception) else one.label for one in outcomes]
    found = confusion([classifier.label_of(one) for one in utterances], heard)
    failures = [str(one) for one in outcomes if isinstance(one, Exception)]
    print(_as_json(found, len(failures)) if format is FormatName.json else _table(found))
    return _conclude(failures)


def _as_json(found: "Confusion", num_failures: int) -> str:
    interval = found.interval
    return json.dumps(
        {
            "recordings": len(found.pairs),
            "right": found.num_right,
            "failures": num_failures,
            "accuracy": round(found.accuracy, 6),
            "interval": [round(interval.low, 6), round(interval.high, 6)],
            "labels": found.labels,
            "confusion": found.matrix,
        },
        ensure_ascii=False,
    )


def _table(found: "Confusion") -> str:
    """Rows are what recordings are, columns what they were taken for; no nought but on the diagonal."""
    interval, labels = found.interval, found.labels
    width = max(map(len, labels), default=0) + 2
    rows = [
        "".join(f"{count if count or row == column else '.':>{width}}" for column, count in enumerate(counts))
        for row, counts in enumerate(found.matrix)
    ]
    return "\n".join(
        [
            f"accuracy {100 * found.accuracy:.2f} % [ {found.num_right} / {len(found.pairs)} ]",
            f"95 % interval {100 * interval.low:.2f} to {100 * interval.high:.2f} (bootstrap over recordings)",
            "",
            " " * width + "".join(f"{label:>{width}}" for label in labels),
            *(f"{label:>{width}}{row}" for label, row in zip(labels, rows, strict=True)),
        ]
    )
