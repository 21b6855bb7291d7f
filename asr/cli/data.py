"""``asr data``: build a manifest, check it, split it, join its utterances."""

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from asr.wording import counted

if TYPE_CHECKING:
    from asr.corpus.check import Defect, Requirements
    from asr.manifest import Utterance

_MAX_BROKEN = 20
"""Lines that are no utterances, named; a file that is no manifest has nothing else."""


def app() -> typer.Typer:
    """The commands of ``asr data``."""
    commands = typer.Typer(
        help="Build, check, split and join the manifests that everything reads.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    for command in (build, check, split, join):
        commands.command(no_args_is_help=True)(command)
    return commands


def build(
    source: Annotated[Path, typer.Argument(help="Folder or file of the corpus.", metavar="FOLDER|FILE")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The manifest to write.")],
    speaker_from: Annotated[
        str,
        typer.Option(
            help="Speakers the corpus does not state: `folder` (each recording's own), `none`, "
            "or a regular expression whose one group finds the speaker in the path below the corpus.",
            metavar="folder|none|REGEX",
        ),
    ] = "none",
) -> None:
    """Make a manifest of a corpus, with the duration of every recording.

    The layout is recognised: recordings with a .txt beside each; a CSV or TSV table (LJSpeech, Common Voice,
    DeepSpeech, or columns named like path, text and speaker); LibriSpeech's transcripts; a Kaldi data directory;
    a Lhotse cut set; tar files in WebDataset's layout.
    An item that is bad is named on stderr and left out, and the exit code is 1.

    Examples:

    - `asr data build recordings/ --speaker-from folder -o all.jsonl`
    - `asr data build LJSpeech-1.1/metadata.csv -o all.jsonl`
    - `asr data build cv-corpus/sw/train.tsv -o train.jsonl`
    - `asr data build kaldi/data/train -o train.jsonl`
    - `asr data build 'shards/train-{000..012}.tar' -o train.jsonl`
    """
    from asr.corpus.build import build as build_corpus
    from asr.errors import ManifestError
    from asr.manifest import write_manifest

    with _progress("opening recordings") as progress:
        built = build_corpus(source, speaker_from=speaker_from, progress=progress)
    for problem in built.problems:
        print(problem, file=sys.stderr)
    if not built.utterances:
        raise ManifestError(f"{source}: none of its utterances can be used, so {output} was not written.")
    write_manifest(output, built.utterances)
    _print_sizes({str(output): built.utterances})
    print(output)
    if built.problems:
        sys.exit(
            f"asr: {source}: {counted(len(built.problems), 'bad item')} left out of {output}; each is named above."
        )


def check(
    manifests: Annotated[list[Path], typer.Argument(help="The training set first.", metavar="MANIFEST...")],
    recipe: Annotated[
        str | None, typer.Option(help="Check for a training with this recipe.", metavar="NAME")
    ] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="Check for this model.", metavar="MODEL")
    ] = None,
) -> None:
    """Name every defect of a corpus, one a line, with its remedy; the exit code is 1 if there is an error.

    Found are: lines that are no utterances, audio that cannot be read to its end, wrong durations, segments
    outside their files, empty texts, texts too long for their frames (the cause of an infinite CTC loss),
    impossible speaking rates, characters that the training set or the model lacks, the same audio twice, and
    speakers or sentences on two sides of a split. A repeated sentence is a warning.

    Examples:

    - `asr data check train.jsonl dev.jsonl test.jsonl --recipe fsdd`
    - `asr data check test.jsonl -m digits-en`
    """
    from asr.corpus.check import check as check_corpus
    from asr.errors import ManifestError
    from asr.manifest import Utterance, read_lines

    if recipe and model:
        raise typer.BadParameter("give --recipe or -m, not both")
    needed = requirements(recipe, model)
    read = {str(path): read_lines(path) for path in manifests}
    broken = [one for lines in read.values() for one in lines.values() if isinstance(one, ManifestError)]
    _print_broken(broken)
    sound = {
        name: {number: one for number, one in lines.items() if isinstance(one, Utterance)}
        for name, lines in read.items()
    }
    utterances = {name: list(lines.values()) for name, lines in sound.items()}
    with _progress("listening") as progress:
        defects = check_corpus(utterances, needed, progress)
    _print_defects(defects, {name: list(lines) for name, lines in sound.items()})
    _print_sizes(utterances)
    _print_kinds(defects, len(broken))
    if broken or any(defect.severity == "error" for defect in defects):
        raise typer.Exit(1)


def split(
    manifest: Annotated[Path, typer.Argument(help="The manifest to divide.", metavar="MANIFEST")],
    by: Annotated[
        Literal["speaker", "utterance", "sentence"], typer.Option(help="What is never divided.")
    ] = "speaker",
    dev: Annotated[float, typer.Option(help="Fraction of the duration; 0 makes none.")] = 0.1,
    test: Annotated[float, typer.Option(help="Fraction of the duration; 0 makes none.")] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed makes the same split.")] = 1,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder to write to.", show_default="the manifest's")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace manifests that are there.")] = False,
) -> None:
    """Divide a manifest into train.jsonl, dev.jsonl and test.jsonl, without a speaker on two sides.

    Examples:

    - `asr data split all.jsonl`
    - `asr data split all.jsonl --by sentence --dev 0.05 --test 0.05 --seed 7 -o splits/`
    """
    from asr.corpus.split import split as split_utterances
    from asr.errors import ManifestError
    from asr.manifest import read_manifest, write_manifest

    parts = split_utterances(read_manifest(manifest), by=by, dev=dev, test=test, seed=seed)
    folder = manifest.parent if output is None else output
    paths = {name: folder / f"{name}.jsonl" for name in parts}
    existing = [str(path) for path in paths.values() if path.exists()]
    if existing and not force:
        raise ManifestError(f"{', '.join(existing)}: there already; give --force to replace, or another -o.")
    for name, utterances in parts.items():
        write_manifest(paths[name], utterances)
    _print_sizes({str(paths[name]): utterances for name, utterances in parts.items()})
    for path in paths.values():
        print(path)


def join(
    manifest: Annotated[Path, typer.Argument(help="Whose utterances are joined.", metavar="MANIFEST")],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="The manifest to write; the audio lies in a folder named like it."
        ),
    ],
    seconds: Annotated[tuple[float, float], typer.Option(help="Shortest and longest.")] = (2.0, 60.0),
    rate: Annotated[int, typer.Option(help="Hz of the recordings.", min=1000, max=192_000)] = 16000,
    seed: Annotated[int, typer.Option(help="Another seed joins others.", min=0)] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace a manifest that is there.")] = False,
) -> None:
    """Join utterances to longer recordings, to train on for long recordings.

    A network trained on single sentences keeps what it made of a voice for minutes; trained on joined ones, it hears
    who speaks now. So speakers are mixed, each saying one to four sentences in a row. Each utterance is in one
    recording; two seeds make two such sets.

    Examples:

    - `asr data join train.jsonl -o joined.jsonl`
    - `asr train data.train=joined.jsonl data.dev=dev.jsonl trainer.init_from=runs/mine run_dir=runs/long`
    """
    from asr.corpus.join import join as join_utterances
    from asr.errors import ManifestError
    from asr.manifest import read_manifest, write_manifest

    if not output.suffix:
        raise typer.BadParameter(f"{output}: is where the audio will lie; name the manifest {output}.jsonl.")
    folder = output.with_suffix("")
    # A folder without its manifest is no work of ours, whatever --force says.
    there = output if output.exists() else folder if folder.exists() else None
    if there and (not force or there == folder or output.samefile(manifest)):
        raise ManifestError(
            f"{there}: there already; give --force to replace what was joined, or another -o."
        )
    utterances = read_manifest(manifest)
    with _progress("joining") as progress:
        joined = join_utterances(utterances, folder, seconds, sample_rate=rate, seed=seed, progress=progress)
    write_manifest(output, joined)
    _print_sizes({str(manifest): utterances, str(output): joined})
    print(output)


def requirements(recipe: str | None, model: str | None) -> "Requirements | None":
    """What a training with the recipe, or the model, asks of its data; None where neither is given."""
    if recipe is None and model is None:
        print(
            "asr: without --recipe or -m, whether texts fit their frames is not checked.",
            file=sys.stderr,
        )
        return None
    from asr.corpus.check import Requirements

    settings: Any
    vocabulary = None
    if model is not None:
        from asr import checkpoint

        folder = checkpoint.resolve(model)
        settings, vocabulary = (
            checkpoint.load_settings(folder),
            checkpoint.load_vocabulary(folder),
        )
    else:
        from asr import config

        settings = config.compose([f"recipe={recipe}"])
    return Requirements(settings.features, settings.model.subsampling, settings.text, vocabulary)


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, on stderr, where a person looks at it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_broken(lines: Sequence[object]) -> None:
    for line in lines[:_MAX_BROKEN]:
        print(line)
    if len(lines) > _MAX_BROKEN:
        print(f"asr: and {counted(len(lines) - _MAX_BROKEN, 'more line')} like that.", file=sys.stderr)


def _print_defects(defects: Sequence["Defect"], numbers: Mapping[str, Sequence[int]]) -> None:
    for defect in defects:
        line = numbers[defect.manifest][defect.index]
        warning = "warning: " if defect.severity == "warning" else ""
        print(f"{defect.manifest}:{line}: {defect.utterance}: {warning}{defect.message}.")


def _print_sizes(manifests: Mapping[str, Sequence["Utterance"]]) -> None:
    rows = [
        (
            name,
            str(len(utterances)),
            f"{sum(utterance.duration for utterance in utterances) / 3600:.3f}",
            str(len({utterance.speaker for utterance in utterances} - {None})),
        )
        for name, utterances in manifests.items()
    ]
    _print_table(("manifest", "utterances", "hours", "speakers"), rows)


def _print_kinds(defects: Sequence["Defect"], num_broken: int) -> None:
    counts = Counter((defect.severity, defect.kind) for defect in defects)
    counts += Counter({("error", "line"): num_broken})
    if counts:
        rows = [(severity, kind, str(count)) for (severity, kind), count in sorted(counts.items())]
        _print_table(("severity", "defect", "count"), rows)
    else:
        print("asr: no defect found.", file=sys.stderr)


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for index, name in enumerate(header):
        table.add_column(
            name, justify="right" if rows[0][index].replace(".", "").isdigit() else "left", overflow="fold"
        )
    for row in rows:
        # Text: a path may hold [brackets], which are markup to rich.
        table.add_row(*map(Text, row))
    Console(stderr=True).print(table)
