"""The command line: one file a command; parsing, printing and exit codes only.

Exit codes: 0 all done, 1 something failed (one sentence on stderr says what), 2 the command was misused.
Results go to stdout, everything else to stderr. Heavy imports wait until a command runs.
"""

import logging
import sys
from typing import Annotated

import typer

from asr.cli.console import Once
from asr.errors import AsrError


def build_app() -> typer.Typer:
    """The whole command tree."""
    from asr.cli import data, lm
    from asr.cli.audit import audit
    from asr.cli.compare import compare
    from asr.cli.doctor import doctor
    from asr.cli.evaluate import evaluate
    from asr.cli.models import models
    from asr.cli.score import score
    from asr.cli.train import train
    from asr.cli.transcribe import transcribe
    from asr.cli.tune import tune

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
    for command in (transcribe, train, tune, evaluate, score, compare, audit, models, doctor):
        app.command()(command)
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


def main() -> None:
    """The entry point of the ``asr`` command; errors of ours are one sentence, never a traceback."""
    once = Once()
    logging.basicConfig(format="asr: %(message)s", level=logging.WARNING)
    logging.root.handlers[0].addFilter(once)
    try:
        build_app()()
    except BrokenPipeError:
        # The reader of our stdout (head, say) has seen enough.
        sys.stderr.close()
        sys.exit(1)
    except AsrError as error:
        sys.exit(f"asr: {error}")
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(f"asr: {error.filename}: {error.strerror}; check the path, its permissions and the disk.")
    finally:
        once.conclude()
