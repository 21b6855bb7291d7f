"""Options that commands share: which model, where it computes, how much at a time."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

DEFAULT_MODEL = "english-small"

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="A bundled name (`asr models` lists them), a model or run directory, an .onnx file.",
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
PicturesOption = Annotated[
    int, typer.Option(min=0, help="Worst utterances that report.html shows as the model sees them.")
]
EmbedOption = Annotated[
    bool, typer.Option("--embed-audio", help="Put the sound into the page; else it links to the files.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="On stderr, errors alone.")]
BatchSizeOption = Annotated[int, typer.Option(min=1, help="Recordings at a time.")]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field where a parameter's default is a dataclass."""
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if dataclasses.is_dataclass(parameter.default):
            groups[name] = type(parameter.default)
            parameters += inspect.signature(groups[name]).parameters.values()
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        values = {
            name: group(**{field: given.pop(field) for field in inspect.signature(group).parameters})
            for name, group in groups.items()
        }
        command(**values, **given)

    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper
