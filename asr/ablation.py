"""What each part of a recipe is worth: the recipe trained once more for each thing changed, compared on dev.

The trainings are those of a sweep, so they go on where they were stopped. Each is compared with the base by the paired
bootstrap over dev utterances: two trainings of one seed differ by chance too, which this interval does not contain.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from asr import scoring
from asr.config import compose
from asr.decoding import decode_greedy
from asr.dev_set import DevSet
from asr.errors import AsrError, ConfigError
from asr.evaluation import Evaluation, evaluate
from asr.lm.load import load_language_model
from asr.loading import load
from asr.manifest import read_manifest
from asr.recipe import build_ngram, read_lines
from asr.scoring import Interval
from asr.sweep import Outcome, Point, here, run
from asr.tuning import tune

BASE = "base"


@dataclass(frozen=True)
class Row:
    """One training, or one decoding of the base, beside the base."""

    name: str
    evaluation: Evaluation
    difference: Interval | None
    """95 % interval of its WER minus the base's; None for the base itself."""

    def __str__(self) -> str:
        words, interval = self.evaluation.words, self.evaluation.interval
        rate = f"{100 * words.rate:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
        characters = f"{100 * self.evaluation.characters.rate:.2f}"
        return f"| {self.name} | {rate} | {characters} | {_interval(self.difference)} |"


def read_changes(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """The overrides of each row from a YAML file; those of ``base`` hold in every row.

    Raises:
        ConfigError: the file is no such mapping.
    """
    try:
        changes = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        rows = {str(name): [str(one) for one in overrides] for name, overrides in changes.items()}
    except (OSError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise ConfigError(f"{path}: no list of overrides for each row ({error}).") from None
    if BASE not in rows:
        raise ConfigError(f"{path}: no row {BASE!r}, with which the others are compared.")
    return rows


def make_points(
    changes: Mapping[str, Sequence[str]], overrides: Sequence[str], run_dir: Path
) -> dict[str, Point]:
    """A training for each row, composed, so that a typo is found before any trains.

    Raises:
        ConfigError: as ``compose``.
    """
    points = {}
    for name, changed in changes.items():
        own = [] if name == BASE else list(changed)
        every = (*changes[BASE], *overrides, *own)
        compose(every)
        points[name] = Point(tuple(own), every, run_dir / name.replace(" ", "-").replace("/", "-"))
    return points


def train_all(points: Iterable[Point], jobs: int, on_end: Callable[[Outcome], None]) -> None:
    """Train what is not trained yet.

    Raises:
        AsrError: one failed; the others are done.
    """
    with here() as start:
        failures = []
        for outcome in run(points, jobs, start):
            on_end(outcome)
            failures += [outcome] if outcome.dev_wer is None else []
    if failures:
        raise AsrError(f"{failures[0].point.run_dir}: {failures[0].failure}")


def compare(points: Mapping[str, Point], dev: Path) -> list[Row]:
    """Every row's best model on dev, greedily; the base first."""
    utterances = read_manifest(dev)
    evaluations = {
        name: evaluate(load(point.run_dir, device="cpu", decoder=decode_greedy), utterances)
        for name, point in points.items()
    }
    return [_row(name, one, evaluations[BASE]) for name, one in evaluations.items()]


def compare_orders(base: Point, dev: Path, text: Path, orders: Iterable[int]) -> list[Row]:
    """The base's model with the n-gram of each order, whose weights are tuned on the same dev set."""
    recognizer = load(base.run_dir, device="cpu", decoder=decode_greedy)
    heard = DevSet(recognizer, read_manifest(dev))
    greedy = heard.evaluate(decode_greedy)
    rows = []
    for order in orders:
        lm = build_ngram(read_lines(text), base.run_dir.parent / f"{order}.arpa.gz", order)
        tuned = tune(heard, load_language_model(lm))
        rows.append(_row(f"beam with {order}-gram", tuned.beam.evaluation, greedy))
    return rows


def table(rows: Iterable[Row]) -> str:
    """Markdown."""
    header = "| change | dev WER % [95 %] | CER % | difference from base [95 %, paired] |\n|---|---|---|---|"
    return "\n".join([header, *map(str, rows)])


def _row(name: str, evaluation: Evaluation, base: Evaluation) -> Row:
    ours, theirs = ([one.words for one in side.utterances] for side in (evaluation, base))
    return Row(name, evaluation, None if evaluation is base else scoring.difference(ours, theirs))


def _interval(found: Interval | None) -> str:
    return "" if found is None else f"[{100 * found.low:+.2f}, {100 * found.high:+.2f}]"
