"""``asr models``: what can be given to ``-m``."""

from pathlib import Path
from typing import Annotated

import typer


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
        return
    print("\t".join(["model", "MB", "Hz", "symbols", "network", "card"]))
    local = sorted(path.parent for path in folder.glob(f"**/best/{checkpoint.CONFIG}"))
    for model in [*checkpoint.bundled(), *map(str, local)]:
        print("\t".join(_row(model)))


def _row(name: str) -> list[str]:
    from asr import checkpoint

    folder = checkpoint.resolve(name)
    settings = checkpoint.load_settings(folder)
    num_symbols = len((folder / checkpoint.VOCABULARY).read_text(encoding="utf-8").splitlines())
    megabytes = (folder / checkpoint.WEIGHTS).stat().st_size / 1e6
    network = f"{settings.model.num_layers} x {settings.model.hidden_size} {settings.model.cell}"
    return [
        name,
        f"{megabytes:.1f}",
        str(settings.features.sample_rate),
        str(num_symbols),
        network,
        _headline(folder / checkpoint.CARD),
    ]


def _headline(card: Path) -> str:
    """The first sentence of a card's text, which says what the model is for."""
    if not card.exists():
        return ""
    lines = [
        line for line in card.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    return lines[0] if lines else ""
