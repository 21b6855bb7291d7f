"""``asr transcribe``: recordings in, their words on stdout, everything else on stderr."""

import enum
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from asr.cli.console import complain, say
from asr.cli.decoder import DecoderOptions, make_decoder, warm_up, with_decoder_options
from asr.cli.options import DEFAULT_MODEL, BatchSizeOption, DeviceOption, ModelOption
from asr.cli.streaming import (
    ChannelsOption,
    RateOption,
    RawOption,
    StreamOption,
    check_stream,
    transcribe_stream,
)
from asr.wording import counted

if TYPE_CHECKING:
    from asr.errors import AsrError
    from asr.recognizer import Decoder, Recognizer
    from asr.types import Transcript


class Format(enum.StrEnum):
    """What ``--format`` takes."""

    txt = "txt"
    json = "json"
    srt = "srt"
    vtt = "vtt"
    tsv = "tsv"
    ctm = "ctm"


@with_decoder_options
def transcribe(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="FILE|FOLDER|-...", help="Recordings, folders of them, or - for stdin."),
    ],
    model: ModelOption = DEFAULT_MODEL,
    format: Annotated[
        Format, typer.Option("--format", "-f", help="What to write of each recording.")
    ] = Format.txt,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="Write NAME.FORMAT files here, not to stdout.")
    ] = None,
    decoding: DecoderOptions = DecoderOptions(),
    nbest: Annotated[
        int, typer.Option(min=0, help="So many texts a recording, with scores (txt, json).")
    ] = 0,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 8,
    with_filename: Annotated[
        bool, typer.Option("--with-filename", "-H", help="Begin each line of txt with its file and a tab.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="On stderr, errors alone.")] = False,
    stream: StreamOption = False,
    raw: RawOption = False,
    rate: RateOption = 16000,
    channels: ChannelsOption = 1,
) -> None:
    """Write down what is said in recordings.

    One line of text a recording, in the order given; a recording that cannot be read leaves its line empty
    (in json, an object with its error), is named on stderr, and makes the exit code 1.

    Examples:

        asr transcribe call.wav

        asr transcribe *.flac recordings/ -m runs/mine -f srt -o subtitles/

        asr transcribe call.wav --lm lm.arpa.gz --lm-alpha 0.5 --lm-beta 1

        asr transcribe call.wav --hotwords "Kinshasa:8,Brazzaville" --nbest 5

        ffmpeg -i talk.mp4 -f wav - | asr transcribe - -f json

        arecord -f S16_LE -r 16000 | asr transcribe - --stream --raw --rate 16000
    """
    from asr.recognizer import load

    started = time.perf_counter()
    sources = list(_sources(inputs))
    _check_format(format, output_dir, nbest, sources, stream or raw)
    chosen = make_decoder(decoding, model, nbest=nbest, quiet=quiet)
    recognizer = load(model, device=device, decoder=chosen)
    if not quiet:
        _get_ready(chosen, model, started)
    if stream or raw:
        return transcribe_stream(recognizer, inputs[0], (rate, channels) if raw else None, format, quiet)
    write = _writer(format, output_dir, with_filename)
    raise typer.Exit(1 if _run(recognizer, sources, batch_size, nbest, write, quiet) else 0)


def _check_format(
    format: Format, output_dir: Path | None, nbest: int, sources: "Sequence[_Source]", streams: bool
) -> None:
    if streams:
        check_stream([source.name for source in sources], format, nbest > 0 or output_dir is not None)
    if format in (Format.srt, Format.vtt) and output_dir is None and len(sources) > 1:
        raise typer.BadParameter(f"{format} holds one recording a file; give --output-dir.")
    if nbest and format not in (Format.txt, Format.json):
        raise typer.BadParameter(f"--nbest is for txt and json; {format} holds one text.")


def _get_ready(decoder: "Decoder", model: str, started: float) -> None:
    warm_up(decoder)
    say(f"model {model}, loaded in {time.perf_counter() - started:.1f} s")


def _run(
    recognizer: "Recognizer",
    sources: "Sequence[_Source]",
    batch_size: int,
    nbest: int,
    write: "_Write",
    quiet: bool,
) -> int:
    from asr.errors import AsrError

    started, seconds, num_failed = time.perf_counter(), 0.0, 0
    recordings = (source.open() for source in sources)
    outcomes = recognizer.transcribe_all(recordings, batch_size=batch_size, nbest=nbest)
    for source, outcome in zip(sources, outcomes, strict=True):
        write(source.name, outcome)
        if isinstance(outcome, AsrError):
            num_failed += 1
            complain(str(outcome))
        else:
            seconds += outcome.duration
    elapsed = time.perf_counter() - started
    if not quiet:
        failed = f", {num_failed} failed" if num_failed else ""
        count = counted(len(sources), "recording")
        say(
            f"{count}{failed}, {seconds:.1f} s of audio in {elapsed:.1f} s, "
            f"{seconds / max(elapsed, 1e-9):.0f} times real time"
        )
    return num_failed


class _Source:
    """A recording to come; standard input is read when its turn comes."""

    def __init__(self, name: str):
        self.name = name

    def open(self) -> str | IO[bytes]:
        if self.name != "-":
            return self.name
        from asr import audio

        return audio.from_bytes(sys.stdin.buffer.read(), "standard input")


def _sources(inputs: Sequence[str]) -> Iterator[_Source]:
    from asr import audio
    from asr.errors import AudioError

    for name in inputs:
        if name != "-" and os.path.isdir(name):
            found = audio.find(name)
            if not found:
                raise AudioError(f"{name}: the folder holds no recording.")
            yield from (_Source(str(path)) for path in found)
        else:
            yield _Source(name)


_FAILED: dict[str, Callable[[str, object], str]] = {
    "txt": lambda name, error: "\n",
    "json": lambda name, error: json.dumps({"file": name, "error": str(error)}, ensure_ascii=False) + "\n",
}
"""What stands on stdout for a recording that cannot be read, in the formats that have a line for each."""


class _Write:
    """Puts each outcome where it belongs: a line on stdout, or a file that is whole or not there."""

    def __init__(self, format: str, output_dir: Path | None, with_filename: bool):
        from asr.writers import FORMATS

        self.format = format
        self.render = FORMATS[format]
        self.output_dir = output_dir
        self.with_filename = with_filename
        self.written: set[Path] = set()

    def __call__(self, name: str, outcome: "Transcript | AsrError") -> None:
        from asr.types import Transcript

        if not isinstance(outcome, Transcript):
            if self.output_dir is None and self.format in _FAILED:
                self._print(name, _FAILED[self.format](name, outcome))
        elif self.output_dir is None:
            self._print(name, self.render(name, outcome))
        else:
            self._save(name, self.render(name, outcome))

    def _print(self, name: str, text: str) -> None:
        if self.with_filename and self.format == "txt":
            text = "".join(f"{name}\t{line}" for line in text.splitlines(keepends=True))
        sys.stdout.write(text)
        sys.stdout.flush()

    def _save(self, name: str, text: str) -> None:
        assert self.output_dir is not None
        self.output_dir.mkdir(parents=True, exist_ok=True)
        path = self._free(
            self.output_dir / f"{'stdin' if name == '-' else Path(name).stem}.{self.format}", name
        )
        partial = path.with_name(path.name + ".partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)

    def _free(self, path: Path, name: str) -> Path:
        """a.wav and a.flac must not write one a.txt: the second keeps its suffix, further ones get a number."""
        candidates = [path, path.with_name(f"{Path(name).name}.{self.format}")]
        candidates += [
            path.with_name(f"{path.stem}-{n}.{self.format}") for n in range(2, len(self.written) + 3)
        ]
        free = next(candidate for candidate in candidates if candidate not in self.written)
        self.written.add(free)
        return free


def _writer(format: Format, output_dir: Path | None, with_filename: bool) -> _Write:
    return _Write(format.value, output_dir, with_filename)
