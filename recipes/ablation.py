"""What each part of a recipe is worth: train it once more for each change of its ablation.yaml, compare on dev, print.

python recipes/ablation.py an4 data.train=data/an4/train.jsonl data.dev=data/an4/dev.jsonl --lm-text data/an4/train.txt

The recipe's prepare.py comes first. The test set is not looked at. The same command goes on where it was stopped.
"""

import argparse
import sys
from pathlib import Path

from asr.ablation import BASE, compare, compare_orders, make_points, read_changes, table, train_all
from asr.config import compose
from asr.experiment import provenance
from asr.recipe import attempt, parse_options
from asr.sweep import Outcome


def main() -> int:
    """The exit code is 1 if a training failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", help="the folder of its ablation.yaml")
    parser.add_argument("overrides", nargs="*", help="settings of every row, as trainer.threads=1")
    parser.add_argument("--run-dir", type=Path, help="default: runs/RECIPE-ablation")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (then trainer.threads=1)")
    parser.add_argument("--lm-text", type=Path, help="a text, to compare n-grams of it too")
    parser.add_argument("--orders", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="of the n-grams")
    return attempt("ablation", lambda: ablate(parse_options(parser)))


def ablate(options: argparse.Namespace) -> int:
    """Train, compare, print."""
    changes = read_changes(Path(__file__).parent / options.recipe / "ablation.yaml")
    run_dir = options.run_dir or Path("runs") / f"{options.recipe}-ablation"
    points = make_points(changes, [f"recipe={options.recipe}", *options.overrides], run_dir)
    train_all(points.values(), options.jobs, say)
    dev = Path(str(compose(points[BASE].overrides).data.dev))
    rows = compare(points, dev)
    if options.lm_text:
        rows += compare_orders(points[BASE], dev, options.lm_text, options.orders)
    print(f"{table(rows)}\n\n{provenance()}")
    return 0


def say(outcome: Outcome) -> None:
    """A line on stderr for each training that has ended."""
    found = outcome.failure if outcome.dev_wer is None else f"dev WER {100 * outcome.dev_wer:.2f} %"
    print(f"{outcome.point.run_dir.name}: {found}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
