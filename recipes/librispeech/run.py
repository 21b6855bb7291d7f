"""LibriSpeech, or a part of it: prepare, train, build a trigram of the texts there are, score greedily and with it.

python recipes/librispeech/run.py --subsets train-clean-100 dev-clean test-clean recipe=librispeech_100
python recipes/librispeech/run.py --corpus-dir LibriSpeech --ljspeech LJSpeech-1.1/metadata.csv
"""

import sys

from prepare import ARCHIVES, add_subsets, prepare

from asr.recipe import lm_options, parse_options, run_options, run_plainly


def main() -> int:
    """Train once for each seed, the best epoch and the beam's weights chosen on dev, and score the test."""
    archives = list(ARCHIVES.values())
    parser = run_options(__doc__, "librispeech", "the folder of dev-clean and the like", archives)
    add_subsets(parser)
    return run_plainly(__file__, parse_options(lm_options(parser)), prepare)


if __name__ == "__main__":
    sys.exit(main())
