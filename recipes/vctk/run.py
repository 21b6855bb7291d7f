"""VCTK 0.92, accents of English: prepare, train, score.

python recipes/vctk/run.py
python recipes/vctk/run.py --corpus-dir VCTK-Corpus-0.92
"""

import sys

from prepare import ARCHIVES, prepare

from asr.recipe import parse_options, run_options, run_plainly


def main() -> int:
    """Train once for each seed, the best epoch chosen on dev, and score the test."""
    options = parse_options(
        run_options(__doc__, "vctk", "the folder of txt/ and wav48_silence_trimmed/", ARCHIVES)
    )
    return run_plainly(__file__, options, prepare)


if __name__ == "__main__":
    sys.exit(main())
