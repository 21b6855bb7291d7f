"""The combinations of a sweep. Overrides have Hydra's grammar: ``model=bilstm,bigru``, ``seed=range(1,4)``.

A run's folder is named after what is particular to it, so that the same command goes on where it was stopped, and
runs that are done stay done.
"""

import itertools
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from asr.config import compose
from asr.errors import ConfigError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"([\w.]+)=({_NUMBER})\.\.({_NUMBER})")
"""``key=low..high``: what a search tries values of."""


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

    @property
    def log(self) -> Path:
        """What the training says."""
        return self.run_dir / "train.log"


def expand(overrides: Sequence[str]) -> list[Point]:
    """Every combination of the values; the settings of each are composed, so that a typo is found before any trains.

    Raises:
        ConfigError: as ``compose``; or nothing has more than one value.
    """
    axes = [values(override) for override in overrides]
    varied = [len(axis) > 1 for axis in axes]
    if not any(varied):
        raise ConfigError(
            "A sweep needs a setting with several values, as in model=bilstm,bigru; a range is for --trials."
        )
    refuse_unclear([override for override, vary in zip(overrides, varied, strict=True) if vary], overrides)
    points = []
    for row in itertools.product(*axes):
        particular = tuple(one for one, vary in zip(row, varied, strict=True) if vary)
        base = Path(compose(row).run_dir)
        points.append(Point(particular, row, base.with_name(f"{base.name}-sweep") / _folder(particular)))
    return points


def refuse_unclear(varied: Sequence[str], overrides: Sequence[str]) -> None:
    """Raise ``ConfigError`` where a varied setting is given twice, or is where the runs go."""
    keys = [_key(override) for override in overrides]
    for key in map(_key, varied):
        if key == "run_dir":
            raise ConfigError("run_dir takes one value: each training has a folder of its own below it.")
        if keys.count(key) > 1:
            raise ConfigError(f"{key} is given twice; give all of its values in one place.")


def values(override: str) -> list[str]:
    """``key=value`` for each value of an override; what Hydra's grammar does not read is one value."""
    try:
        (parsed,) = OverridesParser.create().parse_overrides([override])
    except HydraException:
        return [override]
    if not parsed.is_sweep_override():
        return [override]
    return [f"{parsed.key_or_group}={value}" for value in parsed.sweep_string_iterator()]


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+")


def _folder(particular: Sequence[str]) -> str:
    return re.sub(r"[^\w.,=+-]", "_", ",".join(particular))
