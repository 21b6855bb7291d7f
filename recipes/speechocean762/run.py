"""speechocean762: prepare, train, build a trigram of the texts there are, score greedily and with it.

python recipes/speechocean762/run.py
python recipes/speechocean762/run.py --corpus-dir speechocean762 --ljspeech LJSpeech-1.1/metadata.csv
"""

import sys

from prepare import ARCHIVES, CORPUS, prepare

from asr.recipe import lm_options, parse_options, run_options, run_plainly


def main() -> int:
    """Train once for each seed, the best epoch and the beam's weights chosen on dev, and score the test."""
    parser = run_options(__doc__, "speechocean762", CORPUS, ARCHIVES)
    return run_plainly(__file__, parse_options(lm_options(parser)), prepare)


if __name__ == "__main__":
    sys.exit(main())
