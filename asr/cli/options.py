"""Options that commands share: which model, where it computes, how much at a time."""

from typing import Annotated

import typer

DEFAULT_MODEL = "digits-en"

ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="A bundled name (see `asr models`), a model or a run directory.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
PicturesOption = Annotated[
    int, typer.Option(min=0, help="Worst utterances that report.html shows as the model sees them.")
]
EmbedOption = Annotated[
    bool, typer.Option("--embed-audio", help="Put the sound into the page; else it links to the files.")
]
BatchSizeOption = Annotated[int, typer.Option(min=1, help="Recordings at a time.")]
