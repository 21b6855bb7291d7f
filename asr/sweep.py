"""A training for each combination of settings, each a process of its own, and one table of their dev WERs.

Overrides have Hydra's grammar: ``model=bilstm,bigru``, ``seed=range(1,4)``. A run's folder is named after what
is particular to it, so that the same command goes on where it was stopped, and runs that are done stay done.
"""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from asr.config import compose
from asr.errors import ConfigError

METRICS = "metrics.json"


@dataclass(frozen=True)
class Point:
    """One combination."""

    particular: tuple[str, ...]
    """The overrides that other points have otherwise."""
    overrides: tuple[str, ...]
    run_dir: Path

    @property
    def command(self) -> list[str]:
        """The training that a user would start for it alone."""
        return [sys.executable, "-m", "asr", "train", *self.overrides, f"run_dir={self.run_dir}"]


@dataclass(frozen=True)
class Outcome:
    """What a point's training came to."""

    point: Point
    dev_wer: float | None
    """None where it failed."""
    interval: tuple[float, float] = (0.0, 0.0)
    epoch: int = 0
    failure: str = ""


def expand(overrides: Sequence[str]) -> list[Point]:
    """Every combination of the values; the settings of each are composed, so that a typo is found before any trains.

    Raises:
        ConfigError: as ``compose``; or nothing has more than one value.
    """
    axes = [_values(override) for override in overrides]
    varied = [len(values) > 1 for values in axes]
    if not any(varied):
        raise ConfigError("A sweep needs a setting with several values, as in model=bilstm,bigru.")
    points = []
    for row in itertools.product(*axes):
        particular = tuple(one for one, vary in zip(row, varied, strict=True) if vary)
        base = Path(compose(row).run_dir)
        points.append(Point(particular, row, base.with_name(f"{base.name}-sweep") / _folder(particular)))
    return points


def run(points: Sequence[Point], jobs: int, on_done: Callable[[Outcome], None]) -> list[Outcome]:
    """Train them all, ``jobs`` at a time; the best comes first, what failed last."""
    with ThreadPoolExecutor(jobs) as threads:
        outcomes = []
        for outcome in threads.map(_train, points):
            on_done(outcome)
            outcomes.append(outcome)
    return sorted(outcomes, key=lambda one: (one.dev_wer is None, one.dev_wer))


def _train(point: Point) -> Outcome:
    done = subprocess.run(point.command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Outcome(point, None, failure=last)
    best = json.loads((point.run_dir / METRICS).read_text(encoding="utf-8"))["best"]
    low, high = best["dev_wer_interval"]
    return Outcome(point, best["dev_wer"], (low, high), best["epoch"])


def _values(override: str) -> list[str]:
    """``key=value`` for each value of an override; what Hydra's grammar does not read is one value."""
    try:
        (parsed,) = OverridesParser.create().parse_overrides([override])
    except HydraException:
        return [override]
    if not parsed.is_sweep_override():
        return [override]
    return [f"{parsed.key_or_group}={value}" for value in parsed.sweep_string_iterator()]


def _folder(particular: Sequence[str]) -> str:
    return re.sub(r"[^\w.,=+-]", "_", ",".join(particular))
