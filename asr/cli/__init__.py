"""The command line: one file a command; parsing, printing and exit codes only.

Exit codes: 0 all done, 1 something failed (one sentence on stderr says what), 2 the command was misused.
Results go to stdout, everything else to stderr. Heavy imports wait until a command runs.
"""

import logging
import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from asr.cli.console import Formatter, Once
from asr.errors import AsrError
from asr.wording import file_trouble, printable

COMMANDS = (
    *("transcribe", "classify", "align", "listen", "train", "tune", "evaluate", "score", "compare", "audit"),
    *("export", "inspect", "models", "doctor"),
)
"""Each a function of the module of its name, in the order of ``asr --help``."""


def build_app() -> typer.Typer:
    """The whole command tree."""
    from asr.cli import data, lm

    app = typer.Typer(
        help="Train your own small, private, offline speech recogniser.",
        no_args_is_help=True,
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_version)
    for name in COMMANDS:
        app.command()(getattr(import_module(f"asr.cli.{name}"), name))
    app.add_typer(data.app(), name="data")
    app.add_typer(lm.app(), name="lm")
    return app


def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Train your own small, private, offline speech recogniser."""
    if version:
        from asr import __version__

        print(f"asr {__version__}")
        raise typer.Exit


def _open_closed_streams() -> None:
    """Python has None for what whoever started us closed, and the next file opened would take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # as long as the process


def main() -> None:
    """The entry point of the ``asr`` command; errors of ours are one sentence, never a traceback."""
    _open_closed_streams()
    once = Once()
    logging.basicConfig(level=logging.WARNING)
    logging.root.handlers[0].setFormatter(Formatter("asr: %(message)s"))
    logging.root.handlers[0].addFilter(once)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names are bytes
    try:
        try:
            build_app()()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our stdout (head, say) has seen enough.
        sys.stderr.close()
        sys.exit(1)
    except AsrError as error:
        sys.exit(f"asr: {printable(str(error))}")
    except OSError as error:
        _forget_stdout()
        sys.exit(f"asr: {file_trouble(error)}")
    finally:
        once.conclude()


def _forget_stdout() -> None:
    """What could not be written would else be tried once more, and fail with a traceback, when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
