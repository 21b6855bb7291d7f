"""``asr align``: when each word of a text that is known was said."""

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import complain, progress_bar, say
from asr.cli.options import DEFAULT_MODEL, DeviceOption, ModelOption, QuietOption, refuse_inputs
from asr.errors import AsrError, ManifestError
from asr.text_alignment import THRESHOLD
from asr.whole_files import write_text
from asr.wording import counted
from asr.writers import FORMATS

if TYPE_CHECKING:
    from asr.manifest import Utterance
    from asr.recognizer import Recognizer
    from asr.types import Alignment


class TimedFormat(enum.StrEnum):
    """What ``--format`` takes: the names of those of ``asr.writers.FORMATS`` that have times."""

    json = "json"
    srt = "srt"
    vtt = "vtt"
    tsv = "tsv"
    ctm = "ctm"
    textgrid = "textgrid"


MOST_NAMED = 10
"""Words on stderr; the output names all."""


def align(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING TEXT...|MANIFEST",
            help="Recordings, each before the file of its text; or one .jsonl.",
        ),
    ],
    model: ModelOption = DEFAULT_MODEL,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="A file, whose suffix is its format, or a folder."
        ),
    ] = None,
    format: Annotated[
        TimedFormat | None, typer.Option("--format", "-f", help="What to write [that of -o, else textgrid].")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Nats a character below the best, under which a word is unaligned.")
    ] = THRESHOLD,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Find when each word and character of a text was said.

    Words that the recording lacks and speech that the text lacks are named on stderr and in the output. A pair that
    cannot be aligned is named, the rest goes on, and the exit code is 1.

    Examples:

        asr align recording.wav text.txt -o recording.TextGrid

        asr align a.wav a.txt b.wav b.txt -o aligned/ -f json

        asr align corpus.jsonl -m runs/mine -o aligned/
    """
    pairs = _pairs(inputs)
    chosen = _format(output, format)
    place = _place(output, chosen, len(pairs))
    if output is not None:
        refuse_inputs(output, inputs)
    recognizer, meta = _load(model, device)
    num_failed = 0
    with progress_bar(disable=quiet) as progress:
        for pair in progress.track(pairs, description="aligning"):
            try:
                found = _align(recognizer, pair, threshold, quiet)
                place.put(pair, FORMATS[chosen](pair.name, found, meta | {"threshold": threshold}))
            except AsrError as error:
                num_failed += 1
                complain(str(error))
    raise typer.Exit(1 if num_failed else 0)


def _load(model: str, device: str) -> "tuple[Recognizer, dict[str, Any]]":
    """The model, and what the outputs say of it."""
    from asr import checkpoint
    from asr.decoding import decode_greedy
    from asr.loading import load
    from asr.provenance import made_by

    recognizer = load(model, device=device, decoder=decode_greedy)
    return recognizer, made_by(model, checkpoint.resolve(model))


def _align(recognizer: "Recognizer", pair: "_Pair", threshold: float, quiet: bool) -> "Alignment":
    """The alignment of a pair; what of either has no place in the other is said, unless ``quiet``."""
    found = recognizer.align(pair.source, pair.text(), threshold=threshold)
    _check(pair, found)
    if not quiet:
        _report(pair.name, found)
    return found


@dataclass(frozen=True)
class _Pair:
    """A recording, and its text or the file that holds it."""

    source: "str | Utterance"
    target: str
    """What its file in a folder is called, without the format: as transcripts of the same are."""
    given: str | Path

    @property
    def name(self) -> str:
        return self.source if isinstance(self.source, str) else self.source.name

    def text(self) -> str:
        if isinstance(self.given, str):
            return self.given
        try:
            return self.given.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ManifestError(
                f"{self.given}: is no UTF-8 text ({error.reason}); save it as UTF-8."
            ) from None
        except OSError as error:
            raise ManifestError(f"{self.given}: cannot be read ({error.strerror}); check the path.") from None


def _pairs(inputs: Sequence[str]) -> list[_Pair]:
    from asr.transcription.jobs import free_target, target_of

    used: set[str] = set()
    return [_Pair(source, free_target(target_of(source), used), given) for source, given in _sources(inputs)]


def _sources(inputs: Sequence[str]) -> "list[tuple[str | Utterance, str | Path]]":
    """Each recording, and its text or the file that holds it."""
    if len(inputs) == 1 and inputs[0].endswith(".jsonl"):
        from asr.manifest import read_manifest

        return [(line, line.text) for line in read_manifest(inputs[0])]
    if len(inputs) % 2:
        raise typer.BadParameter(
            "give each recording and behind it its text's file, or one manifest (.jsonl)."
        )
    return [(name, Path(text)) for name, text in zip(inputs[::2], inputs[1::2], strict=True)]


def _format(output: str | None, asked: str | None) -> str:
    suffix = "" if output is None or _is_folder(output) else Path(output).suffix.lower()
    known = {FORMATS[name].suffix.lower(): name for name in TimedFormat}
    if asked is None and suffix and suffix not in known:
        raise typer.BadParameter(
            f"{output}: no format has this suffix; take one of {', '.join(known)}, or give --format."
        )
    return asked or str(known.get(suffix, "textgrid"))


def _is_folder(output: str) -> bool:
    return os.path.isdir(output) or output.endswith(("/", os.sep))


class _Place:
    """Where the results go: stdout, one file, or a file each in a folder; a file is whole or not there."""

    def __init__(self, output: Path | None, folder: bool, suffix: str):
        self.output = output
        self.folder = folder
        self.suffix = suffix

    def put(self, pair: _Pair, text: str) -> None:
        if self.output is None:
            print(text, end="")
            return
        path = self.output / f"{pair.target}{self.suffix}" if self.folder else self.output
        write_text(path, text)


def _place(output: str | None, format: str, num_pairs: int) -> _Place:
    if output is None and num_pairs > 1 and not FORMATS[format].joins:
        raise typer.BadParameter(f"{format} holds one recording a file; give a folder as --output.")
    suffix = FORMATS[format].suffix
    if output is None:
        return _Place(None, False, suffix)
    folder = _is_folder(output) or not Path(output).suffix
    if num_pairs > 1 and not folder:
        raise typer.BadParameter(f"{output}: several recordings need a folder as --output.")
    return _Place(Path(output), folder, suffix)


def _check(pair: _Pair, found: "Alignment") -> None:
    if not found.words:
        raise ManifestError(f"{pair.given or pair.name}: holds no word to align; write down what is said.")
    if not any(word.aligned for word in found.words):
        raise ManifestError(
            f"{pair.name}: none of the {counted(len(found.words), 'word')} of the text is heard in it; check that "
            "they belong together, or take another model."
        )


def _report(name: str, found: "Alignment") -> None:
    """What of the text is not in the recording, and the other way round."""
    if found.unwritable:
        say(f"{name}: the model cannot write {' '.join(found.unwritable)}; left out.")
    lost = [word for word in found.words if not word.aligned]
    if lost:
        named = ", ".join(f"{word.text} ({word.start:.2f} s)" for word in lost[:MOST_NAMED])
        more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
        say(f"{name}: {len(lost)} of {counted(len(found.words), 'word')} unaligned: {named}{more}.")
    if found.extra:
        where = ", ".join(f"{stretch.start:.2f}-{stretch.end:.2f} s" for stretch in found.extra)
        say(f"{name}: speech that the text lacks: {where}.")
