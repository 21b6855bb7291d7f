"""What the recipes' prepare.py and run.py share: options, the loop over seeds, n-grams, the last words of a failure."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from asr.errors import AsrError, ManifestError
from asr.lm import arpa, kneser_ney
from asr.lm.words import SPACE, to_characters
from asr.manifest import read_manifest
from asr.text import TextSettings, normalize

if TYPE_CHECKING:
    from asr.experiment import Trial


def prepare_options(description: str, name: str, corpus: str) -> argparse.ArgumentParser:
    """``--corpus-dir``, which is ``corpus``, and ``--output-dir``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus-dir", type=Path, required=True, help=corpus)
    parser.add_argument("--output-dir", type=Path, default=Path("data") / name, help="default: %(default)s")
    return parser


def run_options(description: str, name: str, corpus: str) -> argparse.ArgumentParser:
    """What prepare.py takes, ``--run-dir``, ``--seeds`` and settings; to be parsed with ``parse_intermixed_args``."""
    parser = prepare_options(description, name, corpus)
    parser.add_argument("--run-dir", type=Path, default=Path("runs") / name, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each")
    parser.add_argument("overrides", nargs="*", help="settings, as trainer.max_epochs=20")
    return parser


def attempt(name: str, work: Callable[[], int]) -> int:
    """The exit code of some work; what goes wrong is one sentence and exit code 1."""
    try:
        return work()
    except AsrError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1


def print_sets(paths: Mapping[str, Path]) -> int:
    """One line a set: utterances, minutes, manifest."""
    for name, path in paths.items():
        utterances = read_manifest(path)
        minutes = sum(utterance.duration for utterance in utterances) / 60
        print(f"{name:14} {len(utterances):5} utterances {minutes:6.1f} min  {path}")
    return 0


def run_seeds(
    recipe: str,
    options: argparse.Namespace,
    data: Mapping[str, Path],
    tests: Mapping[str, Path],
    lm: Path | None = None,
) -> "list[Trial]":
    """A trial for each of ``options.seeds``; ``data`` has the manifests of train, dev and test.

    Raises:
        AsrError: as ``run_trial``.
    """
    # Training takes seconds to import, which preparing does not wait for.
    from asr.experiment import run_trial

    return [
        run_trial(
            str(seed),
            [
                f"recipe={recipe}",
                *(f"data.{name}={path}" for name, path in data.items()),
                f"seed={seed}",
                f"run_dir={options.run_dir}/seed{seed}",
                *options.overrides,
            ],
            tests,
            lm,
        )
        for seed in options.seeds
    ]


def build_ngram(
    lines: Iterable[str],
    output: Path,
    order: int = 3,
    *,
    characters: bool = False,
    text: TextSettings = TextSettings(),
) -> Path:
    """Write the n-gram of sentences, as transcripts write them; discounts fall back where the text is small.

    One of ``characters`` knows the space even where no text has one, for by the space it is told from one of words.

    Raises:
        LanguageModelError: there is no sentence, or it cannot be written there.
    """
    sentences: Iterable[list[str]] = (words for line in lines if (words := normalize(line, text).split()))
    if characters:
        sentences = chain(map(to_characters, sentences), [[SPACE]])
    arpa.write(output, kneser_ney.build(sentences, order, discount_fallback=kneser_ney.FALLBACK))
    return output


def read_lines(path: Path) -> list[str]:
    """The lines of a text.

    Raises:
        ManifestError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: the text cannot be read ({error}); check the path.") from None
