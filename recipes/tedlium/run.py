"""TED-LIUM 3, talks: prepare, train, score.

python recipes/tedlium/run.py
python recipes/tedlium/run.py --corpus-dir TEDLIUM_release-3
"""

import sys

from prepare import ARCHIVES, prepare

from asr.recipe import parse_options, run_options, run_plainly


def main() -> int:
    """Train once for each seed, the best epoch chosen on dev, and score the test."""
    options = parse_options(run_options(__doc__, "tedlium", "the folder of data/ and legacy/", ARCHIVES))
    return run_plainly(__file__, options, prepare)


if __name__ == "__main__":
    sys.exit(main())
