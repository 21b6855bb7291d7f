"""English: pool the corpora, train, build a trigram of all their texts, score each test set greedily and with it.

python recipes/english/run.py --librispeech LibriSpeech --speechocean762 speechocean762 --ljspeech LJSpeech-1.1
python recipes/english/run.py ... --lm-text books.txt --prune 0 1 1
"""

import argparse
import sys
from pathlib import Path

from prepare import corpus_options, prepare

from asr.experiment import conclude
from asr.recipe import (
    attempt,
    build_ngram,
    data_options,
    parse_options,
    read_lines,
    run_seeds,
    training_options,
)

PRUNE = (0, 0, 1)
"""Three words that were written once are left out, so that the model fits into a package: 8 MB, not 16."""


def main() -> int:
    """Train once for each seed, the best epoch and the beam's weights chosen on dev, and score the tests."""
    parser = corpus_options(data_options(__doc__, "english"))
    parser.add_argument("--lm-text", type=Path, nargs="+", default=[], help="more texts, a sentence a line")
    parser.add_argument(
        "--prune", type=int, nargs="+", default=PRUNE, help="as `asr lm build` has it (%(default)s)"
    )
    options = parse_options(training_options(parser, "english"))
    return attempt("english", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, tune, print the table."""
    sets = prepare(options)
    texts = (options.output_dir / "train.txt", *options.lm_text)
    lm = build_ngram(
        [line for path in texts for line in read_lines(path)],
        options.output_dir / "lm.arpa.gz",
        prune=options.prune,
    )
    tests = {name: path for name, path in sets.items() if "test" in name}
    data = {"train": sets["train"], "dev": sets["dev"], "test": sets["librispeech-test"]}
    return conclude(__file__, options.run_dir, run_seeds("english", options, data, tests, lm))


if __name__ == "__main__":
    sys.exit(main())
