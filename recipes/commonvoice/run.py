"""A language of Common Voice: prepare, train, score.

python recipes/commonvoice/run.py --corpus-dir cv-corpus-24.0-2025-12-05/cy
"""

import sys

from prepare import prepare

from asr.recipe import parse_options, run_options, run_plainly


def main() -> int:
    """Train once for each seed, the best epoch chosen on dev, and score the test."""
    options = parse_options(run_options(__doc__, "commonvoice", "the language's folder"))
    return run_plainly(__file__, options, prepare)


if __name__ == "__main__":
    sys.exit(main())
