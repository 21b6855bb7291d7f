"""``asr listen``: the microphone, or a recording played as if it were one, to words as they are said."""

import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import say
from asr.cli.decoder import DecoderOptions, made_by_options, make_decoder, warm_up
from asr.cli.options import DEFAULT_MODEL, ModelOption, grouped
from asr.cli.streaming import check_stream, latency_of, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_SECONDS = 0.1


@grouped
def listen(
    model: ModelOption = DEFAULT_MODEL,
    device: Annotated[
        str | None, typer.Option(help="Microphone, by number or a part of its name [the system's default].")
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Print the microphones and stop.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(help="A recording to play in place of a microphone, as fast as it was said."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.01, help="So many times as fast, with --file.")] = 1.0,
    format: Annotated[
        str, typer.Option("--format", "-f", help="txt: what is final; json: partials too.")
    ] = "txt",
    silence: Annotated[float, typer.Option(min=0.1, help="Seconds of it that end an utterance.")] = 0.8,
    chunk: Annotated[
        float, typer.Option(min=0.1, help="Seconds heard at a time by a model that needs the future.")
    ] = 1.0,
    after: Annotated[float, typer.Option(min=0.1, help="Seconds of future that such a model gets.")] = 0.5,
    decoding: DecoderOptions = DecoderOptions(),
) -> None:
    """Write down what is said into the microphone, as it is said; Ctrl-C ends it.

    An utterance is a line on stdout once it is over; before, it is seen on stderr if that is a terminal.

    Examples:

        asr listen

        asr listen -m runs/mine --device 2

        asr listen --file talk.mp3 -f json
    """
    from asr.loading import load
    from asr.streaming import EndpointRules, Windows

    if list_devices:
        return _print_devices()
    check_stream(["-"], format)
    name, rate, chunks = _played(file, speed) if file else _microphone(device)
    decoder = make_decoder(decoding, model)
    recognizer = load(model, decoder=decoder)
    warm_up(decoder)
    rules, windows = EndpointRules(after_words=silence), Windows(chunk=chunk, after=after)
    stream = recognizer.stream(sample_rate=rate, rules=rules, windows=windows)
    say(f"{name}: {latency_of(stream)}; Ctrl-C ends it")
    meta = made_by_options(model, decoder, decoding) if format == "json" else {}
    run(stream, chunks, name, format, meta)


def _played(file: Path, speed: float) -> "tuple[str, int, Iterator[NDArray[Any]]]":
    from asr import audio

    rate = audio.sample_rate(file) or 16000
    return str(file), rate, paced(audio.load(file, rate), rate, speed)


def paced(samples: "NDArray[Any]", rate: int, speed: float) -> "Iterator[NDArray[Any]]":
    """Samples in blocks, each when its last one would have been recorded."""
    started, size = time.monotonic(), round(BLOCK_SECONDS * rate)
    for start in range(0, len(samples), size):
        block = samples[start : start + size]
        time.sleep(max(0.0, started + (start + len(block)) / rate / speed - time.monotonic()))
        yield block


def _microphone(device: str | None) -> "tuple[str, int, Iterator[NDArray[Any]]]":
    """A microphone's name, its own rate, and what it hears."""
    from asr.errors import AudioError

    sounddevice = _sounddevice()
    chosen = int(device) if device is not None and device.isdigit() else device
    try:
        found = sounddevice.query_devices(chosen, "input")
    except (ValueError, sounddevice.PortAudioError) as error:
        which = "no microphone" if device is None else f"no microphone {device!r}"
        raise AudioError(
            f"There is {which} here ({error}); see `asr listen --list-devices`, or play a recording with --file."
        ) from None
    rate = round(found["default_samplerate"])
    return found["name"], rate, _recorded(sounddevice, found["index"], rate)


def _recorded(sounddevice: Any, index: int, rate: int) -> "Iterator[NDArray[Any]]":
    """Blocks until the microphone is unplugged."""
    blocks: queue.SimpleQueue[NDArray[Any] | None] = queue.SimpleQueue()
    with sounddevice.InputStream(
        samplerate=rate,
        blocksize=round(BLOCK_SECONDS * rate),
        device=index,
        channels=1,
        dtype="int16",
        callback=lambda samples, *_: blocks.put(samples.copy()),
        finished_callback=lambda: blocks.put(None),
    ):
        while (block := blocks.get()) is not None:
            yield block


def _print_devices() -> None:
    from asr.errors import AudioError

    devices = [one for one in _sounddevice().query_devices() if one["max_input_channels"]]
    if not devices:
        raise AudioError("There is no microphone here; plug one in, or play a recording with --file.")
    for one in devices:
        print(f"{one['index']}\t{one['name']}\t{one['default_samplerate']:.0f} Hz")


def _sounddevice() -> Any:
    from asr.errors import AudioError

    try:
        import sounddevice
    except ImportError:
        raise AudioError("A microphone needs the package sounddevice: pip install 'asr[mic]'.") from None
    except OSError:
        raise AudioError(
            "A microphone needs the library PortAudio: install it (on Debian: apt install libportaudio2)."
        ) from None
    return sounddevice
