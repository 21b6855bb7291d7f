"""The command line: one file a command; parsing, printing and exit codes only.

Exit codes: 0 all done, 1 something failed (one sentence on stderr says what), 2 the command was misused.
Results go to stdout, everything else to stderr. Heavy imports wait until a command runs.
"""

import sys

import typer

from asr.errors import AsrError


def build_app() -> typer.Typer:
    """The whole command tree."""
    from asr.cli import data

    app = typer.Typer(
        help="Train your own small, private, offline speech recogniser.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.add_typer(data.app(), name="data")
    return app


def main() -> None:
    """The entry point of the ``asr`` command; errors of ours are one sentence, never a traceback."""
    try:
        build_app()()
    except AsrError as error:
        sys.exit(f"asr: {error}")
    except BrokenPipeError:
        # The reader of our stdout (head, say) has seen enough.
        sys.stderr.close()
        sys.exit(1)
