"""Speech Commands, single words: prepare, train, score.

python recipes/speechcommands/run.py
python recipes/speechcommands/run.py --corpus-dir speech_commands_v0.02
"""

import sys

from prepare import ARCHIVES, prepare

from asr.recipe import parse_options, run_options, run_plainly


def main() -> int:
    """Train once for each seed, the best epoch chosen on dev, and score the test."""
    options = parse_options(run_options(__doc__, "speechcommands", "the folder of the words", ARCHIVES))
    return run_plainly(__file__, options, prepare)


if __name__ == "__main__":
    sys.exit(main())
