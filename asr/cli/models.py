"""``asr models``: what can be given to ``-m``."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asr.settings import RecognizerSettings


def models(
    name: Annotated[str | None, typer.Argument(help="Print this model's card.")] = None,
    folder: Annotated[Path, typer.Option(help="Where your own trainings lie.")] = Path("runs"),
) -> None:
    """List the bundled models and those in ``runs/``, or print the card of one.

    Examples:

        asr models

        asr models digits-en
    """
    from asr import checkpoint
    from asr.onnx_file import has_text, read_text

    if name is not None:
        card = checkpoint.resolve(name) / checkpoint.CARD
        print(read_text(card) if has_text(card) else f"{name} has no card ({card}).")
        print(f"In a stream: {_streaming(checkpoint.resolve(name))}.")
        return
    print("\t".join(["model", "MB", "Hz", "symbols", "network", "stream", "card"]))
    local = sorted(path.parent for path in folder.glob(f"**/best/{checkpoint.CONFIG}"))
    for model in [*checkpoint.bundled(), *map(str, local)]:
        print("\t".join(_row(model)))


def _row(name: str) -> list[str]:
    from asr import checkpoint

    folder = checkpoint.resolve(name)
    settings = checkpoint.load_settings(folder)
    num_symbols = len((folder / checkpoint.VOCABULARY).read_text(encoding="utf-8").splitlines())
    megabytes = (folder / checkpoint.WEIGHTS).stat().st_size / 1e6
    network = f"{settings.model.num_layers} x {settings.model.hidden_size} {settings.model.cell} {settings.model.kind}"
    return [
        name,
        f"{megabytes:.1f}",
        str(settings.features.sample_rate),
        str(num_symbols),
        network,
        _latency(folder, settings),
        _headline(folder / checkpoint.CARD),
    ]


def _latency(folder: Path, settings: "RecognizerSettings") -> str:
    """Seconds behind the sound, or that it needs windows, or the whole."""
    from asr.acoustic_stream import latency
    from asr.kinds import kind_of

    if not kind_of(settings.model).frame_by_frame:
        return "none"
    if not _streams(folder, settings):
        return "windows"
    return f"{latency(settings.features, settings.model).seconds:.2f} s"


def _streams(folder: Path, settings: "RecognizerSettings") -> bool:
    """Whether it needs no future; an exported model carries no state from chunk to chunk."""
    from asr.acoustic_stream import can_stream
    from asr.onnx_file import is_exported

    return can_stream(settings.features, settings.model) and not is_exported(folder)


def _streaming(folder: Path) -> str:
    """Where the seconds come from."""
    from asr import checkpoint
    from asr.acoustic_stream import latency
    from asr.kinds import kind_of
    from asr.streaming import Windows

    settings = checkpoint.load_settings(folder)
    if not kind_of(settings.model).frame_by_frame:
        return "none, since it needs the whole utterance before it writes"
    if not _streams(folder, settings):
        return f"hears windows, up to {Windows().latency:g} s behind the sound"
    parts = latency(settings.features, settings.model)
    causes = ", ".join(f"{name} {seconds:.3g}" for name, seconds in dataclasses.asdict(parts).items())
    return f"{parts.seconds:.3g} s behind the sound ({causes})"


def _headline(card: Path) -> str:
    """The first sentence of a card's text, which says what the model is for."""
    if not card.exists():
        return ""
    lines = [
        line for line in card.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    return lines[0] if lines else ""
