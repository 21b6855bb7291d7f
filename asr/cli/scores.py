"""What `asr evaluate` and `asr score` share: options, the lines on stdout, the folder of results."""

import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import progress_bar, say
from asr.wording import counted

if TYPE_CHECKING:
    from asr.evaluation import Evaluation


class WeightsName(enum.StrEnum):
    """What ``--weights`` takes."""

    jiwer = "jiwer"
    sclite = "sclite"


def _folder(path: Path | None) -> Path | None:
    if path is not None and path.suffix == ".html":
        raise typer.BadParameter("names a folder, in which report.html will lie.")
    return path


OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        callback=_folder,
        help="Write report.html, results.json, utterances.tsv, errs.txt, hyp.trn and more into a folder.",
    ),
]
ByOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD", help="Also score by a key of the manifest, or by snr (estimated); again for more."
    ),
]
TrainTextOption = Annotated[
    Path | None,
    typer.Option(help="Text or manifest of the training: errors by how often it has a word."),
]
WeightsOption = Annotated[
    WeightsName, typer.Option(help="Whose alignment: fewest errors, or NIST's prices of 4, 3 and 3.")
]


def write(
    evaluation: "Evaluation",
    output: Path | None,
    by: Sequence[str],
    training: "Counter[str] | None",
    **pictures: Any,
) -> None:
    """Print the summary and the tables that were asked for, and write the folder.

    ``pictures`` are what ``write_report`` takes besides: the recognizer, and how much of what it sees to show.

    Raises:
        ManifestError: there is no such field, or something cannot be read or written.
    """
    from asr.evaluation import summary
    from asr.evaluation.figures import figures
    from asr.evaluation.folder import save

    print(summary(evaluation))
    if output is not None:
        found = save(output, evaluation, by=by, training=training)
        _write_page(output, evaluation, found, pictures)
    elif by or training or any(scored.alternatives for scored in evaluation.utterances):
        found = figures(evaluation, by, training)
    else:
        return
    for line in (*_groups(found, by), *_causes(found)):
        print(line)


def _write_page(
    folder: Path, evaluation: "Evaluation", found: Mapping[str, Any], pictures: Mapping[str, Any]
) -> None:
    from asr.report import write_report

    path, title = folder / "report.html", f"{evaluation.setup.model} on {Path(evaluation.setup.test).name}"
    total = min(pictures.get("num_pictures", 0), len(evaluation.utterances))
    with progress_bar() as progress:
        task = progress.add_task("drawing", total=total, visible=total > 0)
        write_report(path, evaluation, title, found, **pictures, on_picture=lambda: progress.advance(task))
    say(f"report: {path}")


def _groups(found: Mapping[str, Any], by: Sequence[str]) -> Iterator[str]:
    for field in by:
        yield f"\n{field}"
        groups = found["groups"][field]
        width = max(len(group["label"]) for group in groups)
        for group in groups:
            low, high = (100 * bound for bound in group["interval"])
            yield (
                f"  {group['label']:{width}}  WER {100 * group['rate']:6.2f} [{low:.2f}, {high:.2f}]  "
                f"{group['errors']} / {group['reference']}, {counted(group['utterances'], 'utterance')}"
            )


def _causes(found: Mapping[str, Any]) -> Iterator[str]:
    """What the training text, the n-best list and greedy decoding say of the errors, where they were asked."""
    if found["frequencies"]:
        yield f"\nout of vocabulary {100 * found['frequencies']['out_of_vocabulary']:.2f} %"
        for one in found["frequencies"]["bins"]:
            if one["words"]:
                wrong = f"{100 * one['errors'] / one['words']:6.2f} % substituted or deleted"
                yield f"  in the training text {_times(one):20} {wrong} of {counted(one['words'], 'word')}"
    if found["oracle"]:
        yield f"\nbest of each n-best list: WER {100 * found['oracle']['rate']:.2f}"
    if found["greedy"]:
        fixed, broken = (found["greedy"][name]["words"] for name in ("fixed", "broken"))
        yield f"\ngreedy: WER {100 * found['greedy']['rate']:.2f}; this decoder fixes {fixed} words and breaks {broken}"


def _times(one: Mapping[str, Any]) -> str:
    if one["most"] == 0:
        return "never"
    return (
        f"{one['least']} times or more" if one["most"] is None else f"{one['least']} to {one['most']} times"
    )
