"""Yes and no in Hebrew: prepare, train, score, in half a minute. Fails if the README's result is missed.

python recipes/yesno/run.py
python recipes/yesno/run.py --corpus-dir waves_yesno
"""

import argparse
import sys

from prepare import ARCHIVES, prepare

from asr.experiment import conclude
from asr.recipe import attempt, find_corpus, parse_options, run_options, run_seeds


def main() -> int:
    """Train once for each seed on the 30 training files, the settings having been chosen on dev, and score the test."""
    options = parse_options(run_options(__doc__, "yesno", "the folder of the 60 recordings", ARCHIVES))
    return attempt("yesno", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, print the table."""
    sets = prepare(find_corpus(options), options.output_dir)
    data = {"train": sets["train-all"], "dev": sets["dev"], "test": sets["test"]}
    return conclude(__file__, options.run_dir, run_seeds("yesno", options, data, {"test": sets["test"]}))


if __name__ == "__main__":
    sys.exit(main())
