"""Spoken digits: prepare, train, score. Fails if the README's result is missed.

python recipes/fsdd/run.py
python recipes/fsdd/run.py --corpus-dir free-spoken-digit-dataset
python recipes/fsdd/run.py --corpus-dir free-spoken-digit-dataset --leave-one-out
python recipes/fsdd/run.py --corpus-dir free-spoken-digit-dataset --voices --seeds 1 2 3 --elsewhere DIR
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from prepare import ARCHIVES, DIGITS, find_recordings, prepare

from asr.corpus.build import build
from asr.experiment import Trial, conclude
from asr.manifest import write_manifest
from asr.recipe import attempt, find_corpus, parse_options, run_options, run_seeds
from asr.text import normalize


def main() -> int:
    """Train for each seed, or for each held-out speaker, and score isolated digits and strings."""
    options = _parse()
    return attempt("fsdd", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, print the table."""
    options.corpus_dir = find_corpus(options)
    if options.leave_one_out:
        return conclude(__file__, options.run_dir, list(_held_out(options)), "held out")
    return conclude(__file__, options.run_dir, _official(options))


def _parse() -> argparse.Namespace:
    parser = run_options(__doc__, "fsdd", "the dataset's folder", ARCHIVES)
    parser.add_argument("--voices", action="store_true", help="synthetic voices as further speakers")
    parser.add_argument(
        "--leave-one-out", action="store_true", help="test on each speaker in turn, untrained"
    )
    parser.add_argument("--elsewhere", type=Path, help="a Kaldi folder whose digit utterances are scored too")
    return parse_options(parser)


def _official(options: argparse.Namespace) -> list[Trial]:
    sets = prepare(options.corpus_dir, options.output_dir, voices=options.voices)
    tests = {name: sets[name] for name in ("test", "strings-test")}
    if options.elsewhere:
        tests["elsewhere"] = digits_in(options.elsewhere, options.output_dir / "elsewhere.jsonl")
    return run_seeds("fsdd", options, _data(sets), tests)


def _held_out(options: argparse.Namespace) -> Iterator[Trial]:
    for speaker in sorted({recording.speaker for recording in find_recordings(options.corpus_dir)}):
        folder = options.output_dir / f"without-{speaker}"
        sets = prepare(options.corpus_dir, folder, held_out=speaker, voices=options.voices)
        tests = {name: sets[name] for name in ("test", "strings-test")}
        where = argparse.Namespace(**{**vars(options), "run_dir": options.run_dir / f"without-{speaker}"})
        for trial in run_seeds("fsdd", where, _data(sets), tests):
            yield replace(trial, label=speaker)


def _data(sets: dict[str, Path]) -> dict[str, Path]:
    return {"train": sets["train-all"], "dev": sets["dev-all"], "test": sets["test"]}


def digits_in(folder: Path, manifest: Path) -> Path:
    """The utterances of another corpus that hold nothing but digits: other people, rooms, microphones."""
    digits = [u for u in build(folder).utterances if u.text and set(normalize(u.text).split()) <= set(DIGITS)]
    write_manifest(manifest, digits)
    return manifest


if __name__ == "__main__":
    sys.exit(main())
