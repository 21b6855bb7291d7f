"""CMU's AN4: prepare, train, build a trigram of the training texts, score greedily and with it.

python recipes/an4/run.py --corpus-dir an4
"""

import argparse
import sys

from prepare import prepare

from asr.experiment import conclude
from asr.recipe import attempt, build_ngram, parse_options, read_lines, run_options, run_seeds


def main() -> int:
    """Train once for each seed, epoch and weights of the beam chosen on the dev speakers, and score the test."""
    options = parse_options(run_options(__doc__, "an4", "the folder of etc/ and feat/"))
    return attempt("an4", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, tune, print the table."""
    sets = prepare(options.corpus_dir, options.output_dir)
    lm = build_ngram(read_lines(options.output_dir / "train.txt"), options.output_dir / "train.arpa.gz")
    data = {name: sets[name] for name in ("train", "dev", "test")}
    return conclude(__file__, options.run_dir, run_seeds("an4", options, data, {"test": sets["test"]}, lm))


if __name__ == "__main__":
    sys.exit(main())
