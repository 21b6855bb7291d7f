"""The trainings that are compared: cells, directions and depths at one number of parameters."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from asr import scoring
from asr.config import compose
from asr.errors import ConfigError
from asr.evaluation import Evaluation
from asr.manifest import read_manifest
from asr.models.budget import nearest_in_size
from asr.scoring import Counts, Interval
from asr.settings import build, load_yaml
from asr.sweep import Point
from asr.text import Vocabulary

NAMES = {"rnn_tanh": "plain RNN", "lstm": "LSTM", "gru": "GRU"}
DIRECTIONS = {1: "one direction", 2: "two directions"}


@dataclass(frozen=True)
class Grid:
    """What a file beside this one says."""

    overrides: tuple[str, ...]
    parameters: int
    """That every network comes as near to as its units allow."""
    layers: tuple[int, ...]
    seeds: tuple[int, ...]
    loss: float
    """Nats an utterance, to which steps and seconds are counted."""
    studied_layers: int
    """Networks of so many layers are looked into, and those of one direction also trained without clipping."""
    cells: tuple[str, ...] = tuple(NAMES)
    directions: tuple[int, ...] = tuple(DIRECTIONS)


@dataclass(frozen=True)
class Member:
    """One network of the grid, whatever the seed."""

    cell: str
    directions: int
    layers: int
    clipped: bool = True

    def __str__(self) -> str:
        depth = f"{self.layers} layer{'s' * (self.layers > 1)}"
        return (
            f"{NAMES[self.cell]}, {DIRECTIONS[self.directions]}, {depth}{', unclipped' * (not self.clipped)}"
        )

    @property
    def folder(self) -> str:
        """Of its trainings, but for the seed."""
        return f"{self.cell}-{self.directions}way-{self.layers}layers{'-unclipped' * (not self.clipped)}"

    @property
    def overrides(self) -> list[str]:
        """What makes it of the grid's settings, but for its units."""
        two = str(self.directions == 2).lower()
        shape = [f"model.cell={self.cell}", f"model.bidirectional={two}", f"model.num_layers={self.layers}"]
        return shape + ["trainer.clip_norm=0"] * (not self.clipped)


@dataclass(frozen=True)
class Result:
    """A network of the grid, trained with every seed."""

    member: Member
    units: int
    runs: Sequence[Mapping[str, Any]]
    """``metrics.json`` of each seed."""
    model_dirs: Sequence[Path]
    dev: Sequence[Evaluation]
    test: Sequence[Evaluation] = ()

    @cached_property
    def counts(self) -> list[Counts]:
        """Of each dev utterance, added over the seeds."""
        return added(self.dev)

    @property
    def parameters(self) -> int:
        """The front end has none."""
        return int(self.runs[0]["parameters"])

    @property
    def megabytes(self) -> float:
        """Peak of the training's process, the libraries included."""
        return max(run.get("peak_bytes", 0) for run in self.runs) / 1e6

    def column(self, key: str) -> list[float]:
        """By epoch, the mean over seeds; what is no number is left out of it."""
        rows = [[row[key] for row in run["epochs"]] for run in self.runs]
        known = [[value for value in values if value is not None] for values in zip(*rows, strict=False)]
        return [mean(values) if values else math.nan for values in known]

    def until(self, loss: float) -> tuple[float, float] | None:
        """Steps and seconds of training until the loss is there, None where it never is.

        It is taken to fall in a line from the end of an epoch to that of the next.
        """
        seconds = np.cumsum(self.column("seconds")).tolist()
        rows = zip(self.column("loss"), self.column("steps"), seconds, strict=True)
        known = [row for row in rows if math.isfinite(row[0])]
        for before, after in pairwise([known[0], *known] if known else []):
            if after[0] <= loss:
                share = (before[0] - loss) / (before[0] - after[0]) if before[0] > loss else 1.0
                steps, passed = (
                    one + share * (two - one) for one, two in zip(before[1:], after[1:], strict=True)
                )
                return steps, passed
        return None


def added(evaluations: Sequence[Evaluation]) -> list[Counts]:
    """Of each utterance, over evaluations of the same ones."""
    rows = zip(*([one.words for one in evaluation.utterances] for evaluation in evaluations), strict=True)
    return [scoring.total(row) for row in rows]


def pooled(results: Iterable[Result]) -> list[Counts]:
    """Of each dev utterance, over several networks: their mean error rate with one interval."""
    return [scoring.total(row) for row in zip(*(one.counts for one in results), strict=True)]


def rate(counts: Sequence[Counts]) -> tuple[float, Interval]:
    """In percent, with its 95 % interval."""
    found = scoring.interval(counts)
    return 100 * scoring.total(counts).rate, Interval(100 * found.low, 100 * found.high)


def read_grid(path: Path, changes: Mapping[str, Any]) -> Grid:
    """A grid with what the command line says otherwise.

    Raises:
        ConfigError: the file is none.
    """
    grid = build(Grid, load_yaml(path) | {key: value for key, value in changes.items() if value})
    if grid.studied_layers not in grid.layers:
        grid = dataclasses.replace(grid, studied_layers=min(grid.layers))
    return grid


def members(grid: Grid) -> Iterator[Member]:
    """The cells, directions and depths, then what is trained without clipping."""
    for cell in grid.cells:
        for directions in grid.directions:
            for layers in grid.layers:
                yield Member(cell, directions, layers)
        yield Member(cell, grid.directions[0], grid.studied_layers, clipped=False)


def make_points(grid: Grid, overrides: Sequence[str], run_dir: Path) -> dict[Member, list[Point]]:
    """The trainings of each member, a seed each, composed, so that a typo is found before any trains.

    Raises:
        ConfigError: as ``compose``; no training set is given, or the parameters are too few.
        ManifestError: the training set cannot be read.
    """
    base = compose([*grid.overrides, *overrides])
    if base.data.train is None:
        raise ConfigError("no training set: give data.train=MANIFEST.")
    texts = (utterance.text for utterance in read_manifest(base.data.train))
    vocabulary_size = len(Vocabulary.build(texts, base.text))
    points = {}
    for member in members(grid):
        shape = compose([*grid.overrides, *overrides, *member.overrides])
        sized = nearest_in_size(shape.model, shape.features.num_features, vocabulary_size, grid.parameters)
        own = [*member.overrides, f"model.hidden_size={sized.hidden_size}"]
        points[member] = [
            Point(
                (*own, f"seed={seed}"),
                (*grid.overrides, *overrides, *own, f"seed={seed}"),
                run_dir / f"{member.folder}-seed{seed}",
            )
            for seed in (grid.seeds if member.clipped else grid.seeds[:1])
        ]
    return points


def collect(
    points: Mapping[Member, Sequence[Point]],
    score: Callable[[Path, str], Evaluation],
    with_test: bool,
) -> list[Result]:
    """What the trainings have left; ``score`` evaluates a model on ``dev`` or ``test``."""
    results = []
    for member, runs in points.items():
        folders = [run.run_dir for run in runs]
        metrics = [json.loads((folder / "metrics.json").read_text(encoding="utf-8")) for folder in folders]
        dev = [score(folder, "dev") for folder in folders]
        test = [score(folder, "test") for folder in folders] if with_test else []
        units = metrics[0]["settings"]["model"]["hidden_size"]
        results.append(Result(member, units, metrics, [folder / "best" for folder in folders], dev, test))
    return results
