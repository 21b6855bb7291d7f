"""``asr inspect``: what the recogniser sees of one recording, as a picture or a page."""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.console import say
from asr.cli.decoder import DecoderOptions, make_decoder, warm_up
from asr.cli.options import DEFAULT_MODEL, DeviceOption, EmbedOption, ModelOption, grouped

SUFFIXES = (".png", ".html")


def _picture(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter("must end in .png or .html.")
    return path


@grouped
def inspect(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    model: ModelOption = DEFAULT_MODEL,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            callback=_picture,
            help="A .png, or a .html that plays [FILE's name with .inspect.png behind it, in this folder].",
        ),
    ] = None,
    offset: Annotated[float, typer.Option(min=0.0, help="Seconds into the recording to begin at.")] = 0.0,
    duration: Annotated[float | None, typer.Option(help="Seconds to look at [to the end].")] = None,
    embed_audio: EmbedOption = False,
    decoding: DecoderOptions = DecoderOptions(),
    device: DeviceOption = "auto",
) -> None:
    """Show what the recogniser sees: waveform, features, probabilities of symbols, words with times; print the text.

    Examples:

        asr inspect call.wav

        asr inspect call.mp3 -m runs/mine --offset 60 --duration 10 -o call.html --embed-audio
    """
    from asr.loading import load
    from asr.report.drawing import draw
    from asr.report.inspection import inspect as look
    from asr.report.inspection import segment, write_page

    output = output or Path(f"{file.stem}.inspect.png")
    if embed_audio and output.suffix.lower() != ".html":
        raise typer.BadParameter("--embed-audio is for pages (-o NAME.html); a picture has no sound.")
    if output.exists() and file.exists() and output.samefile(file):
        raise typer.BadParameter(f"{output} is the recording itself; name another file.")
    utterance = segment(file, offset, duration)
    chosen = make_decoder(decoding, model)
    warm_up(chosen)
    sight = look(load(model, device=device, decoder=chosen), utterance)
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix.lower() == ".png":
        draw(output, sight)
    else:
        write_page(output, sight, utterance, f"{file.name} as {model} sees it", embed_audio=embed_audio)
    print(" ".join(word.text for word in sight.words))
    say(f"picture: {output}")
