"""``asr transcribe``: recordings in, their words on stdout or in files, everything else on stderr."""

import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli import transcribing
from asr.cli.console import say
from asr.cli.decoder import DecoderOptions, made_by_options, make_decoder, warm_up
from asr.cli.options import (
    DEFAULT_MODEL,
    BatchSizeOption,
    DeviceOption,
    ModelOption,
    QuietOption,
    grouped,
)
from asr.cli.streaming import (
    StreamOptions,
    check_stream,
    transcribe_stream,
)
from asr.wording import counted
from asr.writers import FORMATS

if TYPE_CHECKING:
    from asr.recognizer import Recognizer
    from asr.transcription import Job, Outputs, Saved
    from asr.transcription.running import Team

ALL = "all"
RANKED = ("txt", "json")
"""Formats that hold more than one text a recording."""


@dataclass(frozen=True)
class OutputOptions:
    """What the command line says of where transcripts go."""

    format: Annotated[
        str,
        typer.Option(
            "--format", "-f", help="txt, json, srt, vtt, tsv, ctm, textgrid; several with commas, or all."
        ),
    ] = "txt"
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Write a file each here, those that are missing."),
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="With -o, also do again what is there.")] = (
        False
    )
    with_filename: Annotated[
        bool, typer.Option("--with-filename", "-H", help="Begin each line of txt with its file and a tab.")
    ] = False


@dataclass(frozen=True)
class SharingOptions:
    """What the command line says of who does the work."""

    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Processes, each with the model and one thread.")
    ] = 1
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only the I-th of N parts of the inputs, for array jobs."),
    ] = None
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Share the work on a Ray cluster: HOST:PORT, auto or local."),
    ] = None


@grouped
def transcribe(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|MANIFEST|-...",
            help="Recordings, folders of them, manifests (.jsonl), or - for stdin.",
        ),
    ],
    model: ModelOption = DEFAULT_MODEL,
    output: OutputOptions = OutputOptions(),
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Also search the folders in folders.")
    ] = False,
    decoding: DecoderOptions = DecoderOptions(),
    nbest: Annotated[
        int, typer.Option(min=0, help="So many texts a recording, with scores (txt, json).")
    ] = 0,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 8,
    sharing: SharingOptions = SharingOptions(),
    quiet: QuietOption = False,
    stream: StreamOptions = StreamOptions(),
) -> None:
    """Write down what is said in recordings of any length.

    One line of text a recording, in the order given; a recording that cannot be read leaves its line empty
    (in json, an object with its error), is named on stderr at the end, and makes the exit code 1. With -o the
    same command goes on where it was stopped.

    Examples:

        asr transcribe call.wav

        asr transcribe meeting.mp3 interviews/ -r -o out/ -f all --jobs 4

        asr transcribe call.wav --lm lm.arpa.gz --lm-alpha 0.5 --lm-beta 1

        asr transcribe call.wav --hotwords "Kinshasa:8,Brazzaville" --nbest 5

        ffmpeg -i talk.mp4 -f wav - | asr transcribe - -f json

        arecord -t raw -f S16_LE -r 16000 | asr transcribe - --raw --rate 16000
    """
    from asr.transcription import Saved, batches, find_jobs

    stream.check()
    make = MakeRecognizer(model, device, decoding, nbest)
    if stream.wanted:
        plain = (OutputOptions(output.format), SharingOptions(), False, 0)
        check_stream(inputs, output.format, (output, sharing, recursive, nbest) != plain)
        return _stream(make, inputs[0], stream, output.format, quiet)
    formats = _formats(output.format, nbest)
    to_do = _part(find_jobs(inputs, recursive=recursive), sharing.shard)
    _check(to_do, formats, output.output_dir, sharing)
    outputs = _outputs(make, to_do, formats, output)
    if isinstance(outputs, Saved):
        to_do = _missing(outputs, to_do, quiet)
    if to_do:
        team = _team(make, sharing, quiet)
        raise typer.Exit(transcribing.run(team(batches(to_do, batch_size)), outputs, to_do, quiet))


def _stream(make: "MakeRecognizer", source: str, options: StreamOptions, format: str, quiet: bool) -> None:
    meta = make.meta() if format == "json" else {}
    transcribe_stream(make(quiet), source, options, format, meta, quiet)


@dataclass(frozen=True)
class MakeRecognizer:
    """Loads the model that was asked for, in whatever process it is called."""

    model: str
    device: str
    decoding: DecoderOptions
    nbest: int

    def __call__(self, quiet: bool = True) -> "Recognizer":
        """Says what was loaded, unless ``quiet``."""
        from asr.loading import load

        started = time.perf_counter()
        decoder = make_decoder(self.decoding, self.model, nbest=self.nbest, quiet=quiet)
        recognizer = load(self.model, device=self.device, decoder=decoder)
        if not quiet:
            warm_up(decoder)
            say(f"model {self.model}, loaded in {time.perf_counter() - started:.1f} s")
        return recognizer

    def meta(self) -> dict[str, Any]:
        """What the files say of what made them."""
        decoder = make_decoder(self.decoding, self.model, nbest=self.nbest, quiet=True)
        return made_by_options(self.model, decoder, self.decoding)


def _outputs(
    make: MakeRecognizer, to_do: "list[Job]", formats: list[str], options: OutputOptions
) -> "Outputs":
    from asr.transcription import Printed, Saved

    meta = make.meta() if "json" in formats else {}
    if options.output_dir is not None:
        return Saved(options.output_dir, formats, meta, overwrite=options.overwrite)
    return Printed(to_do, formats[0], options.with_filename, meta)


def _team(
    make: MakeRecognizer, sharing: SharingOptions, quiet: bool
) -> "Callable[[Iterator[list[Job]]], Team]":
    """Who does the work: this process, some of this machine, or a cluster."""
    from asr.transcription import alone, cluster, processes

    if sharing.ray is not None:
        _announce(make, quiet)
        return lambda given: (
            lambda on_piece: cluster.share(_absolute(make), str(sharing.ray), given, make.nbest)
        )
    if sharing.jobs > 1:
        _announce(make, quiet)
        return lambda given: lambda on_piece: processes.share(make, sharing.jobs, given, make.nbest, on_piece)
    recognizer = make(quiet)
    return lambda given: lambda on_piece: alone.transcribe(recognizer, given, make.nbest, on_piece)


def _announce(make: MakeRecognizer, quiet: bool) -> None:
    """Refuse here what the workers would; what is compiled at first use is then compiled once."""
    decoder = make_decoder(make.decoding, make.model, nbest=make.nbest, quiet=quiet)
    if not quiet:
        warm_up(decoder)


def _absolute(make: MakeRecognizer) -> MakeRecognizer:
    """As a process in another folder finds the model and the language model."""
    lm = make.decoding.lm
    decoding = dataclasses.replace(make.decoding, lm=lm and lm.absolute())
    model = os.path.abspath(make.model) if os.path.exists(make.model) else make.model
    return dataclasses.replace(make, model=model, decoding=decoding)


def _formats(given: str, nbest: int) -> list[str]:
    names = list(FORMATS) if given == ALL else list(dict.fromkeys(given.split(",")))
    for name in names:
        if name not in FORMATS:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join([*FORMATS, ALL])}.")
        if nbest and name not in RANKED:
            raise typer.BadParameter(f"--nbest is for txt and json; {name} holds one text.")
    return names


def _part(found: "list[Job]", given: str | None) -> "list[Job]":
    from asr.transcription import shard

    if given is None:
        return found
    parts = re.fullmatch(r"(\d+)/(\d+)", given)
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise typer.BadParameter(f"--shard {given}: give I/N with I from 1 to N, as 3/16.")
    return shard(found, int(parts[1]), int(parts[2]))


def _check(
    to_do: "Sequence[Job]", formats: Sequence[str], output_dir: Path | None, sharing: SharingOptions
) -> None:
    if output_dir is None and len(formats) > 1:
        raise typer.BadParameter(f"{len(formats)} formats are a file each; give --output-dir.")
    if output_dir is None and not FORMATS[formats[0]].joins and len(to_do) > 1:
        raise typer.BadParameter(f"{formats[0]} holds one recording a file; give --output-dir.")
    if sharing.ray is not None and sharing.jobs > 1:
        raise typer.BadParameter("--ray has the workers that the cluster has; leave --jobs out.")
    if (sharing.ray is not None or sharing.jobs > 1) and any(job.source == "-" for job in to_do):
        raise typer.BadParameter("- is read by this process; leave --jobs and --ray out.")


def _missing(saved: "Saved", to_do: "list[Job]", quiet: bool) -> "list[Job]":
    """What is not there yet, where it can be written, and a word on what is."""
    saved.prepare()
    missing = [job for job in to_do if not saved.has(job)]
    if len(missing) < len(to_do) and not quiet:
        there = counted(len(to_do) - len(missing), "recording")
        say(f"{there} transcribed before in {saved.folder} left as they are (--overwrite does them again)")
    return missing
