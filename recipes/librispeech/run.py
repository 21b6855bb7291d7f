"""LibriSpeech, or a part of it: prepare, train, build a trigram of the texts there are, score greedily and with it.

python recipes/librispeech/run.py --subsets train-clean-100 dev-clean test-clean
python recipes/librispeech/run.py --corpus-dir LibriSpeech --ljspeech LJSpeech-1.1/metadata.csv
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from prepare import ARCHIVES, add_subsets, prepare

from asr.experiment import conclude
from asr.recipe import attempt, build_ngram, find_corpus, read_lines, run_options, run_seeds

STATED: dict[str, float] = {}
"""The WER that the README states."""


def main() -> int:
    """Train once for each seed, the best epoch and the beam's weights chosen on dev, and score the test."""
    archives = list(ARCHIVES.values())
    parser = run_options(__doc__, "librispeech", "the folder of dev-clean and the like", archives)
    add_subsets(parser)
    parser.add_argument(
        "--ljspeech", type=Path, metavar="METADATA", help="metadata.csv, whose texts the LM gets"
    )
    parser.add_argument("--lm-text", type=Path, nargs="+", default=[], help="more texts, a sentence a line")
    options = parser.parse_intermixed_args()
    return attempt("librispeech", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Prepare, train, tune, print the table."""
    sets = prepare(find_corpus(options), options.output_dir)
    lines = [
        line for path in (options.output_dir / "train.txt", *options.lm_text) for line in read_lines(path)
    ]
    lines += ljspeech_texts(options.ljspeech) if options.ljspeech else []
    lm = build_ngram(lines, options.output_dir / "lm.arpa.gz")
    data = {name: sets[name] for name in ("train", "dev", "test")}
    tests = {name: path for name, path in sets.items() if name.startswith("test")}
    return conclude(run_seeds("librispeech", options, data, tests, lm), STATED)


def ljspeech_texts(metadata: Path) -> Iterator[str]:
    """The last column of each line: the sentence with its numbers written out."""
    return (line.rsplit("|", 1)[-1] for line in read_lines(metadata))


if __name__ == "__main__":
    sys.exit(main())
