"""Options that commands share: which model, where it computes, how much at a time, what is not written over."""

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from asr.errors import OutputError

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


def refuse_inputs(output: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """What is read is not written over.

    Raises:
        OutputError: the output is one of the inputs, by whatever name.
    """
    for one in inputs:
        if os.path.exists(one) and os.path.exists(output) and os.path.samefile(one, output):
            raise OutputError(
                f"{os.fspath(output)}: is read, and would be written over; give --output another name."
            )


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
