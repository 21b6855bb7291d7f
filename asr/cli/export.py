"""``asr export``: a model as one ONNX file that needs no torch."""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.console import say


def export(
    model: Annotated[
        str, typer.Argument(help="A bundled name (see `asr models`), a model or a run directory.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write, NAME.onnx.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Matrices in 8 bits: a quarter of the size, and faster.")
    ] = False,
    features: Annotated[
        bool, typer.Option("--features", help="Take precomputed static features instead of recordings.")
    ] = False,
) -> None:
    """Write a model as one ONNX file, front end and symbols included, that recognises without torch.

    A language model that `asr tune` stored comes to lie beside it, as NAME.lm.bin.

    Examples:

        asr export runs/mine -o mine.onnx --int8

        asr transcribe call.wav -m mine.onnx
    """
    if output.suffix != ".onnx":
        raise typer.BadParameter(f"{output}: an exported model is called NAME.onnx.")
    difference = _run(model, output, int8, features)
    say(f"{output}: {output.stat().st_size / 1e6:.1f} MB; in float32 {difference:.1g} from torch at most")
    if beside := _language_model(output):
        say(f"{beside}: its language model, which goes where the model goes")


def _language_model(output: Path) -> Path | None:
    from asr import stored_decoder

    name = stored_decoder.load(output).language_model
    return output.with_name(name) if name else None


def _run(model: str, output: Path, int8: bool, features: bool) -> float:
    from asr.errors import ConfigError

    try:
        from asr.export import export as write
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ConfigError(
            "asr export needs onnx and onnxruntime; install them: pip install 'asr[onnx]'."
        ) from None
    return write(model, output, int8=int8, features=features)
