"""LJ Speech, one reader: prepare, train, score.

python recipes/ljspeech/run.py
python recipes/ljspeech/run.py --corpus-dir LJSpeech-1.1
"""

import sys

from prepare import ARCHIVES, prepare

from asr.recipe import parse_options, run_options, run_plainly


def main() -> int:
    """Train once for each seed, the best epoch chosen on dev, and score the test."""
    options = parse_options(run_options(__doc__, "ljspeech", "the folder of metadata.csv", ARCHIVES))
    return run_plainly(__file__, options, prepare)


if __name__ == "__main__":
    sys.exit(main())
