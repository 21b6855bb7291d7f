"""stderr, for what is no result."""

import sys


def say(line: str) -> None:
    """A line of information."""
    print(line, file=sys.stderr)


def complain(sentence: str) -> None:
    """What failed, as one sentence that begins with the command's name, as compilers' do."""
    print(f"asr: {sentence}", file=sys.stderr)
