"""A folder of recordings and their texts to manifests: all.jsonl, and train, dev and test of it.

python recipes/folder/prepare.py FOLDER
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from asr.corpus.build import build
from asr.corpus.split import KEYS, split_fittingly
from asr.errors import ManifestError
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.recipe import attempt, print_sets
from asr.whole_files import write_text, written_beside
from asr.wording import printable

SHOWN = 5
"""Bad items that are named on the screen; a file names all."""
MEANING = {
    "speaker": "Nobody who speaks in dev or test is in train: the error rate is that of voices never heard.",
    "sentence": "No sentence of dev or test is in train, but voices may be in all three: the error rate is that of "
    "people heard in training who say something new. Voices never heard make more errors.",
    "utterance": "The same sentences, and maybe the same voices, are in all three sets: the error rate is that of "
    "these sentences said again by these people, and says little of others.",
}


@dataclass(frozen=True)
class Sets:
    """What a folder became."""

    by: str
    """What stands on one side only: a speaker, a sentence or an utterance."""
    paths: dict[str, Path]
    """The manifests of train, dev and test."""


def options_of(description: str) -> argparse.ArgumentParser:
    """FOLDER and what says how it is read and divided."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what `asr data build` takes, or makes")
    parser.add_argument("--output-dir", type=Path, help="default: data/folder/ and the folder's name")
    parser.add_argument(
        "--speaker-from",
        default="none",
        metavar="folder|none|REGEX",
        help="who speaks, where the texts do not say: the folder a recording lies in, or a part of its path",
    )
    parser.add_argument("--split-by", choices=sorted(KEYS), help="default: speaker where five are known")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def name_of(source: Path) -> str:
    """The folder's own name."""
    source = source.resolve()
    return source.name if source.is_dir() else source.parent.name


def accept_any(manifests: Mapping[str, Path]) -> None:
    """What ``prepare`` asks where no training is bound to the sets."""


def prepare(
    options: argparse.Namespace,
    accept: Callable[[Mapping[str, Path]], object] = accept_any,
    others: Sequence[Path] = (),
) -> Sets:
    """Write the manifests; all.jsonl only if the folder has changed since, beside what we write here and to ``others``.

    ``accept`` refuses sets by raising, before they take the place of those that are there.

    Raises:
        ManifestError: there is nothing to train on, it cannot be divided, or the sets there are another folder's.
    """
    folder = options.output_dir or Path("data", "folder", name_of(options.folder))
    utterances = _all(options.folder, options.speaker_from, folder, others)
    by, parts = split_fittingly(utterances, seed=options.seed, by=options.split_by)
    for line in _describe(utterances, by):
        print(line, file=sys.stderr)
    paths = {name: folder / f"{name}.jsonl" for name in parts}
    with ExitStack() as whole:
        drafts = {name: whole.enter_context(written_beside(path)) for name, path in paths.items()}
        for name, draft in drafts.items():
            write_manifest(draft, parts[name])
        accept(drafts)
    return Sets(by, paths)


def _all(source: Path, speaker_from: str, folder: Path, others: Sequence[Path]) -> list[Utterance]:
    origin = folder / "origin.txt"
    before = origin.read_text(encoding="utf-8") if origin.is_file() else ""
    asked = f"{printable(str(source.resolve()))}\n{printable(speaker_from)}\n"
    _refuse_another(before, asked, folder)
    if _is_manifest(source):
        utterances = read_manifest(source)
    elif before == asked and _is_newer(folder / "all.jsonl", source, [folder, *others]):
        return read_manifest(folder / "all.jsonl")
    else:
        utterances = _build(source, speaker_from, folder)
        origin.unlink(missing_ok=True)
        # First: a folder that comes later would count as a change of the one around it.
        for place in others:
            place.mkdir(parents=True, exist_ok=True)
        write_manifest(folder / "all.jsonl", utterances)
    write_text(origin, asked)  # last: a manifest without it is made again
    return utterances


def _refuse_another(before: str, asked: str, folder: Path) -> None:
    """Folders of one name, as p/clips and q/clips, would have the same place."""
    other = before.partition("\n")[0]
    if other != asked.partition("\n")[0] and other and (folder / "train.jsonl").exists():
        raise ManifestError(
            f"{folder}: holds the sets of {other}; give another --output-dir (and --run-dir), or remove it."
        )


def _build(source: Path, speaker_from: str, folder: Path) -> list[Utterance]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("opening recordings", total=None)
        built = build(
            source,
            speaker_from=speaker_from,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _name_problems(built.problems, folder / "left-out.txt")
    if not built.utterances:
        raise ManifestError(f"{source}: none of its utterances can be used; each is named above.")
    return built.utterances


def _is_manifest(source: Path) -> bool:
    """Whether it is what `asr data build` makes; Lhotse's cuts have the same suffix."""
    if source.suffix != ".jsonl" or not source.is_file():
        return False
    with open(source, "rb") as file:
        return b'"audio_filepath"' in file.readline()


def _is_newer(manifest: Path, source: Path, own: Sequence[Path]) -> bool:
    """Whether nothing below ``source`` was added, removed or written since, but in the folders that are our own."""
    if not manifest.is_file():
        return False
    made = manifest.stat().st_mtime
    return all(os.stat(path).st_mtime < made for path in _everything(source, own) if os.path.exists(path))


def _everything(source: Path, own: Sequence[Path]) -> Iterator[str]:
    root, left_out = source.resolve(), {path.resolve() for path in own}
    root = root if root.is_dir() else root.parent
    yield str(root)
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) not in left_out]
        yield from (os.path.join(folder, name) for name in (*folders, *files))


def _name_problems(problems: list[str], path: Path) -> None:
    problems = [printable(problem) for problem in problems]  # names of files are bytes
    write_text(path, "".join(f"{problem}\n" for problem in problems))
    for problem in problems[:SHOWN]:
        print(f"left out: {problem}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"left out: {len(problems) - SHOWN} more; {path} names all", file=sys.stderr)


def _describe(utterances: list[Utterance], by: str) -> Iterator[str]:
    minutes = sum(one.duration for one in utterances) / 60
    speakers = len({one.speaker for one in utterances} - {None})
    known = f"{speakers} speakers" if speakers else "speakers not known"
    yield f"{len(utterances)} utterances, {minutes:.1f} minutes, {known}; divided by {by}"
    parents = {os.path.dirname(one.audio_filepath or "") for one in utterances}
    if not speakers and len(parents) > 1:
        yield (
            f"The recordings lie in {len(parents)} folders: if each is one person's, add --speaker-from folder."
        )
    digits = sum(any(character.isdigit() for character in one.text) for one in utterances)
    if digits:
        yield f"{digits} texts have digits, which are said in many ways: words would be learned better."


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = options_of("Manifests of a folder of recordings and their texts.").parse_args()
    return attempt("folder", lambda: print_sets(prepare(options).paths))


if __name__ == "__main__":
    sys.exit(main())
