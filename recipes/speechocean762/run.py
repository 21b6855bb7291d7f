"""speechocean762: prepare, train, build a trigram of the texts there are, score greedily and with it.

python recipes/speechocean762/run.py --corpus-dir speechocean762 --ljspeech LJSpeech-1.1/metadata.csv
"""

import argparse
import sys

from prepare import ARCHIVES, CORPUS, prepare

from asr.experiment import conclude
from asr.recipe import attempt, build_ngram, find_corpus, lm_options, lm_texts, run_options, run_seeds


def main() -> int:
    """Train once for each seed, the best epoch and the beam's weights chosen on dev, and score the test."""
    parser = run_options(__doc__, "speechocean762", CORPUS, ARCHIVES)
    options = lm_options(parser).parse_intermixed_args()
    return attempt("speechocean762", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, tune, print the table."""
    sets = prepare(find_corpus(options), options.output_dir)
    lm = build_ngram(lm_texts(options), options.output_dir / "lm.arpa.gz")
    data = {name: sets[name] for name in ("train", "dev", "test")}
    tests = {name: path for name, path in sets.items() if name.startswith("test")}
    return conclude(__file__, options.run_dir, run_seeds("speechocean762", options, data, tests, lm))


if __name__ == "__main__":
    sys.exit(main())
