"""``asr audit``: transcripts that the audio contradicts, ranked."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import complain, progress_bar, say
from asr.cli.data import requirements
from asr.cli.options import BatchSizeOption, DeviceOption
from asr.wording import counted

if TYPE_CHECKING:
    from asr.audit import Audit
    from asr.manifest import Utterance

Parts = list[tuple[str, Sequence[int]]]
"""Models, and the positions of the utterances that each is to judge."""


Model = Annotated[
    str | None, typer.Option("-m", "--model", help="A model that was not trained on these transcripts.")
]
Folds = Annotated[
    int | None,
    typer.Option(min=2, help="Train so many models, each on what it is not to judge.", metavar="N"),
]
Page = Annotated[
    Path,
    typer.Option("-o", "--output", help="The page; .tsv, .json and the folds go beside it.", metavar="HTML"),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[GROUP=CHOICE|KEY=VALUE]...", help="With --folds: settings of `asr train`."),
]


def audit(
    manifest: Annotated[Path, typer.Argument(help="What to doubt, as `asr data build` writes it.")],
    overrides: Overrides = None,
    model: Model = None,
    folds: Folds = None,
    output: Page = Path("audit.html"),
    top: Annotated[int, typer.Option(min=0, help="So many rows are printed; the .tsv has all.")] = 20,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 8,
) -> None:
    """Rank transcripts by how much the audio contradicts them, and name the words that do not fit.

    A model weighs each text against other texts, each word against other words, and each gap against a word more;
    what is usual, and what texts made wrong on purpose look like, it learns from the corpus. So a weak model is
    enough, but it must not have been trained on what it judges: give a model from elsewhere, or --folds.

    Prints the first rows; a page with players, and all rows as .tsv and .json, are written. Lines and recordings that
    cannot be used are named, and make the exit code 1.

    Examples:

        asr audit train.jsonl -m runs/mine -o audit.html

        asr audit train.jsonl --folds 2 -o audit.html recipe=speechocean762 data.dev=dev.jsonl trainer.max_epochs=20
    """
    from asr.audit import files, page
    from asr.errors import ManifestError
    from asr.manifest import Utterance, read_lines

    if (model is None) == (folds is None):
        raise typer.BadParameter("give -m MODEL, or --folds N and the settings to train with")
    if overrides and not folds:
        raise typer.BadParameter("settings are for --folds")
    read = read_lines(manifest)
    broken = [one for one in read.values() if isinstance(one, ManifestError)]
    for error in broken:
        complain(str(error))
    numbers = [number for number, one in read.items() if isinstance(one, Utterance)]
    utterances = [one for one in read.values() if isinstance(one, Utterance)]
    parts = (
        _one_part(model, manifest, utterances)
        if model
        else _folds(utterances, folds or 0, overrides or [], output)
    )
    found = _audit(parts, utterances, device, batch_size)
    _write_files(output, found, numbers, {"manifest": str(manifest), "models": [name for name, _ in parts]})
    print(files.table(found, numbers, top), end="")
    say(f"{page.power(found)} {output} has players")
    unheard = [one for one in found.verdicts if one.is_unheard]
    for one in unheard:
        complain(f"{one.utterance.name}: {'; '.join(one.remarks).removesuffix('.')}.")
    raise typer.Exit(1 if broken or unheard else 0)


def _write_files(output: Path, found: "Audit", numbers: Sequence[int], setup: dict[str, Any]) -> None:
    from asr.audit import files, page
    from asr.whole_files import write_text

    output.parent.mkdir(parents=True, exist_ok=True)
    write_text(output.with_suffix(".tsv"), files.table(found, numbers))
    write_text(output.with_suffix(".json"), files.document(found, numbers, setup))
    write_text(output, page.render(found, numbers, f"{Path(setup['manifest']).name}, audited", output.parent))


def _one_part(model: str, manifest: Path, utterances: "Sequence[Utterance]") -> Parts:
    from asr import checkpoint

    trained_on = _trained_on(checkpoint.resolve(model).parent)
    if trained_on is not None and trained_on.resolve() == manifest.resolve():
        complain(
            f"{model} was trained on {manifest} and may have learned its faults; --folds 2 trains others."
        )
    return [(model, range(len(utterances)))]


def _trained_on(run_dir: Path) -> Path | None:
    """What the settings of a run directory say; None where it is none."""
    import yaml

    try:
        settings: Any = yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8"))
        return Path(settings["data"]["train"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return None


def _folds(utterances: "Sequence[Utterance]", count: int, overrides: list[str], output: Path) -> Parts:
    from asr.corpus.split import folds
    from asr.errors import ConfigError
    from asr.sweep import here, run
    from asr.sweep.points import Point

    folder = output.parent / f"{output.stem}-folds"
    parts = folds(utterances, count)
    places = {id(utterance): index for index, utterance in enumerate(utterances)}
    points = []
    for number, part in enumerate(parts, 1):
        train = folder / f"train-{number}.jsonl"
        _write(train, [one for other in parts if other is not part for one in other])
        points.append(Point((), (*overrides, f"data.train={train}"), folder / f"fold-{number}"))
    say(f"{counted(count, 'training')}, one after the other, in {folder}; train.log of each has what it says")
    with here() as start:
        for outcome in run(points, 1, start):
            if outcome.dev_wer is None:
                raise ConfigError(f"{outcome.point.log}: the training failed: {outcome.failure}")
            say(f"{outcome.point.run_dir}: dev WER {100 * outcome.dev_wer:.2f} %")
    return [
        (str(point.run_dir), [places[id(one)] for one in part])
        for point, part in zip(points, parts, strict=True)
    ]


def _write(train: Path, utterances: "Sequence[Utterance]") -> None:
    """A fold's training set; one that is there must be of the same recordings, for a model may be trained on it."""
    from asr.errors import ManifestError
    from asr.manifest import read_manifest, write_manifest

    if train.exists() and {one.name for one in read_manifest(train)} != {one.name for one in utterances}:
        raise ManifestError(
            f"{train}: has other utterances than this audit's; remove its folder, or give another -o."
        )
    write_manifest(train, utterances)


def _audit(parts: Parts, utterances: "Sequence[Utterance]", device: str, batch_size: int) -> "Audit":
    from asr.audit import audit as run
    from asr.loading import load

    with progress_bar() as progress:
        listening = progress.add_task("listening", total=len(utterances))
        weighing = progress.add_task("weighing", total=sum(one.duration for one in utterances))
        return run(
            utterances,
            [(partial(load, model, device=device), indices) for model, indices in parts],
            requirements(None, parts[0][0]),
            batch_size=batch_size,
            on_check=lambda done, total: progress.update(listening, completed=done),
            on_heard=lambda utterance: progress.advance(weighing, utterance.duration),
        )
