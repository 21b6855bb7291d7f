"""Score the recipes' stored models again, and print RESULTS.md.

python recipes/results.py            every stated result whose model and test set are here; 1 if one got worse
python recipes/results.py --table    RESULTS.md, from the results.json of each recipe
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from asr import checkpoint, results
from asr.decoding import decode_greedy
from asr.errors import CheckpointError
from asr.evaluation import Evaluation, evaluate
from asr.loading import load
from asr.manifest import read_manifest
from asr.recipe import attempt
from asr.results import Result, Score, mean_score

FOLDER = Path(__file__).parent
INTRODUCTION = """\
# Results

What each recipe reaches: word error rate in percent with its 95 % interval (bootstrap over utterances, each drawn with
all its models). Settings, epoch and decoder were chosen on dev; the test set was looked at once. Greedy is without
a language model; tuned is the beam and n-gram that `asr tune` chose on dev. `make results` scores the stored models
again. Written by `python recipes/results.py --table > RESULTS.md`.
"""


def main() -> int:
    """The exit code is 1 when a result got worse, or when there was nothing to score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", action="store_true", help="print RESULTS.md and score nothing")
    options = parser.parse_args()
    return attempt("results", print_table if options.table else score_again)


def stated() -> dict[str, list[Result]]:
    """The results of every recipe that has any."""
    paths = sorted(FOLDER.glob(f"*/{results.FILE}"))
    return {path.parent.name: results.read(path) for path in paths}


def print_table() -> int:
    """RESULTS.md to stdout."""
    print(f"{INTRODUCTION}\n{results.table(stated())}", end="")
    return 0


def score_again() -> int:
    """A line a score: what is stated, and what the model gives now."""
    num_scored, misses = 0, []
    for recipe, members in stated().items():
        for result in members:
            for score in result.scores:
                found = _score(result, score)
                now = "not here" if found is None else f"{100 * found.wer:6.2f}"
                of = f"{recipe:15} {result.title:9} {score.test:28} {score.decoder:7}"
                print(f"{of} stated {100 * score.wer:6.2f}  now {now}")
                num_scored += found is not None
                misses += results.worse([found], [score]) if found else []
    print(f"{num_scored} scored, {len(misses)} worse")
    if not num_scored:
        print("No model is here with its test set: recipes/NAME/run.py makes both.", file=sys.stderr)
    print(*misses, sep="\n", file=sys.stderr)
    return 1 if misses or not num_scored else 0


def _score(result: Result, score: Score) -> Score | None:
    """What the models give today; None where one of them, or of the test sets, is not here."""
    models_there = all(map(_is_here, result.models))
    if not models_there or not all(Path(manifest).is_file() for manifest in score.manifests):
        return None
    return mean_score(score.test, score.manifests, score.decoder, list(_evaluations(result, score)))


def _is_here(model: str) -> bool:
    try:
        return bool(checkpoint.resolve(model))
    except CheckpointError:
        return False


def _evaluations(result: Result, score: Score) -> Iterator[Evaluation]:
    decoder = decode_greedy if score.decoder == "greedy" else None
    for model, manifest in zip(result.models, score.manifests, strict=True):
        yield evaluate(load(model, device="cpu", decoder=decoder), read_manifest(manifest))


if __name__ == "__main__":
    sys.exit(main())
