"""CMU's AN4: prepare, train, build a trigram of the training texts, score greedily and with it.

python recipes/an4/run.py --corpus-dir an4
python recipes/an4/run.py --corpus-dir an4 --train-all --seeds 1 2 3
"""

import argparse
import sys
from pathlib import Path

from prepare import prepare

from asr.experiment import Trial, conclude, run_trial, run_whole
from asr.recipe import (
    attempt,
    build_ngram,
    parse_options,
    read_lines,
    run_options,
    run_seeds,
    seed_overrides,
)


def main() -> int:
    """Train once for each seed, epoch and weights of the beam chosen on the dev speakers, and score the test."""
    parser = run_options(__doc__, "an4", "the folder of etc/ and feat/")
    parser.add_argument(
        "--train-all",
        action="store_true",
        help="then train each seed on the dev speakers too, and score that",
    )
    options = parse_options(parser)
    return attempt("an4", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, tune, print the table."""
    sets = prepare(options.corpus_dir, options.output_dir)
    trials = (_run_whole if options.train_all else _run_split)(options, sets)
    title = "seed, all speakers" if options.train_all else "seed"
    return conclude(__file__, options.run_dir, trials, title)


def _run_split(options: argparse.Namespace, sets: dict[str, Path]) -> list[Trial]:
    return run_seeds("an4", options, _data(sets), {"test": sets["test"]}, _trigram(sets["train"]))


def _run_whole(options: argparse.Namespace, sets: dict[str, Path]) -> list[Trial]:
    """Of all speakers, with the weights that the first seed has found on dev, which sees no test."""
    first, *_ = options.seeds
    overrides = seed_overrides("an4", options, _data(sets), first)
    chosen = run_trial(str(first), overrides, {}, _trigram(sets["train"])).training.model_dir
    data, lm = _data(sets) | {"train": sets["train-all"]}, _trigram(sets["train-all"])
    return [
        run_whole(
            str(seed),
            seed_overrides("an4", options, data, seed, "train-all-"),
            {"test": sets["test"]},
            chosen,
            lm,
        )
        for seed in options.seeds
    ]


def _data(sets: dict[str, Path]) -> dict[str, Path]:
    return {name: sets[name] for name in ("train", "dev", "test")}


def _trigram(manifest: Path) -> Path:
    """Of the texts that prepare.py wrote beside the manifest."""
    return build_ngram(read_lines(manifest.with_suffix(".txt")), manifest.with_suffix(".arpa.gz"))


if __name__ == "__main__":
    sys.exit(main())
