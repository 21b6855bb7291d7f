"""LibriSpeech, or a part of it: prepare, train, build a trigram of the texts there are, score greedily and with it.

python recipes/librispeech/run.py --subsets train-clean-100 dev-clean test-clean
python recipes/librispeech/run.py --corpus-dir LibriSpeech --ljspeech LJSpeech-1.1/metadata.csv
"""

import argparse
import sys

from prepare import ARCHIVES, add_subsets, prepare

from asr.experiment import conclude
from asr.recipe import attempt, build_ngram, find_corpus, lm_options, lm_texts, run_options, run_seeds


def main() -> int:
    """Train once for each seed, the best epoch and the beam's weights chosen on dev, and score the test."""
    archives = list(ARCHIVES.values())
    parser = run_options(__doc__, "librispeech", "the folder of dev-clean and the like", archives)
    add_subsets(parser)
    options = lm_options(parser).parse_intermixed_args()
    return attempt("librispeech", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, tune, print the table."""
    sets = prepare(find_corpus(options), options.output_dir)
    lm = build_ngram(lm_texts(options), options.output_dir / "lm.arpa.gz")
    data = {name: sets[name] for name in ("train", "dev", "test")}
    tests = {name: path for name, path in sets.items() if name.startswith("test")}
    return conclude(__file__, options.run_dir, run_seeds("librispeech", options, data, tests, lm))


if __name__ == "__main__":
    sys.exit(main())
