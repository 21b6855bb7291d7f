"""Plain RNN, LSTM and GRU, in one and two directions and at several depths, at equal parameters, on one page.

python recipes/cells/run.py fsdd
python recipes/cells/run.py an4 --jobs 2 trainer.threads=1
python recipes/cells/run.py fsdd --layers 1 2 --run-dir runs/cells-small trainer.max_epochs=3

The recipe's prepare.py comes first. The same command goes on where it was stopped. Writes cells.html and cells.md.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from claims import check
from grid import collect, make_points, read_grid
from pages import html, markdown
from study import study

from asr.ablation import train_all
from asr.config import compose
from asr.decoding import decode_greedy
from asr.errors import ConfigError
from asr.evaluation import Evaluation, evaluate
from asr.experiment import provenance
from asr.loading import load
from asr.manifest import read_manifest
from asr.recipe import attempt, parse_options
from asr.sweep import Outcome
from asr.whole_files import write_text


def main() -> int:
    """The exit code is 1 if a training failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grid", help="fsdd, an4, or a file like fsdd.yaml beside this one")
    parser.add_argument("overrides", nargs="*", help="settings of every training, as trainer.threads=1")
    parser.add_argument("--run-dir", type=Path, help="default: runs/cells-GRID")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (then trainer.threads=1)")
    parser.add_argument("--layers", type=int, nargs="+", help="instead of the grid's")
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of the grid's")
    parser.add_argument("--parameters", type=int, help="instead of the grid's")
    parser.add_argument("--test", action="store_true", help="look at the test set too: once, at the end")
    return attempt("cells", lambda: run(parse_options(parser)))


def run(options: argparse.Namespace) -> int:
    """Train, look into the networks, write."""
    path = Path(options.grid)
    path = path if path.suffix else Path(__file__).with_name(f"{path}.yaml")
    grid = read_grid(path, {key: getattr(options, key) for key in ("layers", "seeds", "parameters")})
    run_dir = options.run_dir or Path("runs") / f"cells-{path.stem}"
    points = make_points(grid, options.overrides, run_dir)
    sets = compose([*grid.overrides, *options.overrides]).data
    if options.test and not sets.test:
        raise ConfigError("--test: no test set is given; add data.test=MANIFEST.")
    train_all([point for some in points.values() for point in some], options.jobs, say)
    results = collect(points, lambda folder, name: score(folder, sets, name), options.test)
    studies = study(grid, results, Path(str(sets.dev)))
    claims = check(grid, results, studies)
    write_text(run_dir / "cells.html", html(grid, results, studies, claims, provenance()))
    tables = markdown(grid, results, claims, provenance())
    write_text(run_dir / "cells.md", tables)
    print(tables, end="")
    print(f"page: {run_dir / 'cells.html'}", file=sys.stderr)
    return 0


def score(folder: Path, sets: Any, name: str) -> Evaluation:
    """The best model of a training on one of the sets, greedily."""
    recognizer = load(folder, device="cpu", decoder=decode_greedy)
    return evaluate(recognizer, read_manifest(getattr(sets, name)), batch_size=16)


def say(outcome: Outcome) -> None:
    """A line on stderr for each training that has ended."""
    found = outcome.failure if outcome.dev_wer is None else f"dev WER {100 * outcome.dev_wer:.2f} %"
    print(f"{outcome.point.run_dir.name}: {found}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
