"""Sound as it comes: finals one a line on stdout, what is not final yet as a live line on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asr.decoding import Partial
    from asr.recognizer import Recognizer
    from asr.streaming import Stream
    from asr.types import Transcript

FORMATS = ("txt", "json")


@dataclass(frozen=True)
class StreamOptions:
    """What the command line says of sound that is still going on."""

    stream: Annotated[
        bool, typer.Option("--stream", help="Hear - while it goes on: an utterance a line, once it is over.")
    ] = False
    raw: Annotated[
        bool, typer.Option("--raw", help="As --stream, of bare 16-bit samples (s16le) instead of wav.")
    ] = False
    rate: Annotated[int, typer.Option(min=1000, max=1_000_000, help="Their rate in Hz.")] = 16000
    channels: Annotated[int, typer.Option(min=1, max=255, help="How many of them are of one moment.")] = 1

    def check(self) -> None:
        """Raise ``typer.BadParameter`` where the samples are described and there are none."""
        if not self.raw and (self.rate, self.channels) != (StreamOptions.rate, StreamOptions.channels):
            raise typer.BadParameter("--rate and --channels are of bare samples; give --raw too.")

    @property
    def wanted(self) -> bool:
        """Whether there is a stream."""
        return self.stream or self.raw


def transcribe_stream(
    recognizer: "Recognizer",
    source: str,
    options: StreamOptions,
    format: str,
    meta: Mapping[str, Any],
    quiet: bool,
) -> None:
    """``asr transcribe - --stream``: a pipe, of wav or of bare samples, to words as they come.

    Raises:
        AudioError: what comes is no sound, or nothing comes.
    """
    from asr.audio_pipe import nothing_came, raw_samples, wav_samples

    name = "standard input" if source == "-" else source
    with sys.stdin.buffer if source == "-" else open(source, "rb") as file:
        if options.raw:
            rate, chunks = options.rate, raw_samples(file, options.channels)
        else:
            rate, chunks = wav_samples(file, name)
        stream = recognizer.stream(sample_rate=rate)
        if not quiet:
            say(latency_of(stream))
        run(stream, chunks, source, format, meta)
        if not stream.seconds:
            raise nothing_came(name)


def check_stream(inputs: list[str], format: str, wants_files: bool = False) -> None:
    """Raise ``typer.BadParameter`` unless a stream can do that."""
    if format not in FORMATS or wants_files:
        raise typer.BadParameter(
            f"A stream is one thing, written to stdout as {' or '.join(FORMATS)}, without options for files or n-best."
        )
    if len(inputs) != 1:
        raise typer.BadParameter("A stream is one thing at a time; give - for standard input.")


def latency_of(stream: "Stream") -> str:
    """Example: hears 0.52 s behind the sound, and then what it hears in a whole recording"""
    way = (
        "and then what it hears in a whole recording"
        if stream.is_exact
        else "in windows, as it needs the future"
    )
    return f"hears {stream.latency:.2f} s behind the sound, {way}"


def run(
    stream: "Stream", chunks: "Iterable[NDArray[Any]]", name: str, format: str, meta: Mapping[str, Any]
) -> None:
    """Write what is said until the sound ends or Ctrl-C ends it; the last words are written all the same."""
    with _Printer(name, format, meta) as printer:
        try:
            for samples in chunks:
                for final in stream.accept(samples):
                    printer.final(final)
                printer.partial(stream.partial, stream.seconds)
        except KeyboardInterrupt:
            pass
        for final in stream.finish():
            printer.final(final)


class _Printer:
    """Partials where somebody looks at them: a line on a terminal, JSON objects for a program."""

    def __init__(self, name: str, format: str, meta: Mapping[str, Any]):
        from asr.writers import FORMATS as WRITERS

        self._meta = meta
        self._name, self._as_json, self._render = name, format == "json", WRITERS[format]
        self._line = _LiveLine() if sys.stderr.isatty() and not self._as_json else None
        self._shown = ""

    def __enter__(self) -> "_Printer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.clear()

    def partial(self, partial: "Partial", seconds: float) -> None:
        """Show what is not final yet, where it has changed."""
        if partial.text == self._shown:
            return
        self._shown = partial.text
        if self._line is not None:
            self._line.show(partial)
        if self._as_json:
            entry = {
                "final": False,
                "text": partial.text,
                "stable": partial.stable,
                "seconds": round(seconds, 3),
            }
            self._print(json.dumps(entry, ensure_ascii=False) + "\n")

    def final(self, transcript: "Transcript") -> None:
        """Write what stays."""
        self._shown = ""
        if self._line is not None:
            self._line.clear()
        text = self._render(self._name, transcript, self._meta)
        if self._as_json:
            text = json.dumps({"final": True, **json.loads(text)}, ensure_ascii=False) + "\n"
        self._print(text)

    def _print(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class _LiveLine:
    """The last line of a terminal, written anew with each partial result; what no later sound changes is bold."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)

    def show(self, partial: "Partial") -> None:
        """The end of the text, as much as fits."""
        from rich.text import Text

        text = Text.assemble((partial.stable, "bold"), (partial.text[partial.num_stable :], "dim"))
        room = self._console.width - 1
        self.clear()
        self._console.print(text[max(0, len(text) - room) :], end="")

    def clear(self) -> None:
        """Make room for a line of results."""
        self._console.file.write("\r\x1b[2K")
        self._console.file.flush()
