"""Spoken digits: prepare, train, score. Fails if the README's result is missed.

python recipes/fsdd/run.py --corpus-dir free-spoken-digit-dataset
python recipes/fsdd/run.py --corpus-dir free-spoken-digit-dataset --leave-one-out
python recipes/fsdd/run.py --corpus-dir free-spoken-digit-dataset --voices --seeds 1 2 3 --elsewhere DIR
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from prepare import DIGITS, find_recordings, prepare

from asr.corpus.build import build
from asr.errors import AsrError
from asr.experiment import Trial, conclude, run_trial
from asr.manifest import write_manifest
from asr.text import normalize

STATED = {"test": 0.01, "strings-test": 0.02}
"""The WER that the README states for the official split."""


def main() -> int:
    """Train for each seed, or for each held-out speaker, and score isolated digits and strings."""
    options = _parse()
    try:
        trials = list(_held_out(options) if options.leave_one_out else _official(options))
    except AsrError as error:
        print(f"fsdd: {error}", file=sys.stderr)
        return 1
    if options.leave_one_out:
        return conclude(trials, {}, title="held out")
    return conclude(trials, STATED)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus-dir", type=Path, required=True, help="the dataset's folder")
    parser.add_argument(
        "--output-dir", type=Path, default=Path("data/fsdd"), help="for manifests and strings"
    )
    parser.add_argument("--run-dir", type=Path, default=Path("runs/fsdd"), help="for models and logs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each")
    parser.add_argument("--voices", action="store_true", help="synthetic voices as further speakers")
    parser.add_argument(
        "--leave-one-out", action="store_true", help="test on each speaker in turn, untrained"
    )
    parser.add_argument("--elsewhere", type=Path, help="a Kaldi folder whose digit utterances are scored too")
    parser.add_argument("overrides", nargs="*", help="settings, as trainer.max_epochs=10")
    return parser.parse_intermixed_args()


def _official(options: argparse.Namespace) -> Iterator[Trial]:
    sets = prepare(options.corpus_dir, options.output_dir, voices=options.voices)
    tests = {name: sets[name] for name in ("test", "strings-test")}
    if options.elsewhere:
        tests["elsewhere"] = digits_in(options.elsewhere, options.output_dir / "elsewhere.jsonl")
    for seed in options.seeds:
        yield _trial(str(seed), options, sets, tests, seed)


def _held_out(options: argparse.Namespace) -> Iterator[Trial]:
    for speaker in sorted({recording.speaker for recording in find_recordings(options.corpus_dir)}):
        folder = options.output_dir / f"without-{speaker}"
        sets = prepare(options.corpus_dir, folder, held_out=speaker, voices=options.voices)
        tests = {name: sets[name] for name in ("test", "strings-test")}
        yield _trial(speaker, options, sets, tests, options.seeds[0])


def _trial(
    label: str, options: argparse.Namespace, sets: dict[str, Path], tests: dict[str, Path], seed: int
) -> Trial:
    name = f"without-{label}" if options.leave_one_out else f"seed{seed}"
    overrides = [
        "recipe=fsdd",
        f"data.train={sets['train-all']}",
        f"data.dev={sets['dev-all']}",
        f"data.test={sets['test']}",
        f"seed={seed}",
        f"run_dir={options.run_dir}/{name}",
    ]
    return run_trial(label, overrides + options.overrides, tests)


def digits_in(folder: Path, manifest: Path) -> Path:
    """The utterances of another corpus that hold nothing but digits: other people, rooms, microphones."""
    digits = [u for u in build(folder).utterances if u.text and set(normalize(u.text).split()) <= set(DIGITS)]
    write_manifest(manifest, digits)
    return manifest


if __name__ == "__main__":
    sys.exit(main())
