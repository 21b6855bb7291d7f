"""A search instead of a grid: what each training tries is chosen by what the ones before came to (Optuna's TPE).

A setting is searched where it has a range, ``trainer.learning_rate=5e-4..5e-3``, or choices, ``model=bilstm,bigru``.
The study lies beside the runs. The sampler's seed is a function of (seed, number of the trial), so that a search which
was stopped goes on as if it had not been.
"""

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.config import compose, setting_kinds
from asr.errors import ConfigError
from asr.settings import Settings
from asr.sweep.points import RANGE, Point, refuse_unclear, values
from asr.sweep.running import Outcome, outcome_of

STUDY = "study.db"
_LOGARITHMIC = 10
"""Ratio of a range's ends from which on it is searched on a logarithmic scale."""


@dataclass(frozen=True)
class _Axis:
    """One override and what it leaves open."""

    key: str
    extremes: Sequence[str]
    """Overrides: the choices, or both ends of a range."""
    distribution: Any = None
    """Optuna's; None where nothing is open."""

    def at(self, params: Mapping[str, Any]) -> str:
        """The override of one trial."""
        value = params.get(self.key, self.extremes[0])
        return value if isinstance(value, str) else f"{self.key}={value:.4g}"


class Search:
    """A study of what its overrides leave open.

    Raises:
        ConfigError: Optuna is not here, nothing is open, a range makes no sense, or the folder holds the study of
            other overrides; as ``compose`` for both ends of a range and every choice.
    """

    def __init__(self, overrides: Sequence[str]):
        self.axes = [_axis(override) for override in overrides]
        if not any(axis.distribution for axis in self.axes):
            raise ConfigError(
                "A search needs a setting with a range or choices, as in trainer.learning_rate=5e-4..5e-3."
            )
        varied = [override for override, axis in zip(overrides, self.axes, strict=True) if axis.distribution]
        refuse_unclear(varied, overrides)
        settings = _compose_extremes(self.axes)
        self.seed = settings.seed
        base = Path(settings.run_dir)
        self.folder = base.with_name(f"{base.name}-search")
        self.study = _open(self.folder, overrides)

    def known(self) -> list[Outcome]:
        """What earlier commands found."""
        return [outcome_of(self._point(trial)) for trial in self._trials("COMPLETE")]

    def points(self, num_trials: int) -> Iterator[Point]:
        """What is missing for so many trials that did not fail: those that were stopped, then new ones.

        Each new one is chosen when it is asked for, by what has been told until then.
        """
        stopped = self._trials("RUNNING")
        missing = num_trials - len(stopped) - len(self._trials("COMPLETE"))
        yield from map(self._point, stopped)
        for _ in range(missing):
            yield self._point(self._ask())

    def tell(self, outcome: Outcome) -> None:
        """What a training came to."""
        from optuna.trial import TrialState

        number = int(outcome.point.run_dir.name)
        failed = outcome.dev_wer is None
        self.study.tell(number, outcome.dev_wer, state=TrialState.FAIL if failed else None)

    def _ask(self) -> Any:
        from optuna.samplers import TPESampler

        self.study.sampler = TPESampler(seed=(self.seed * 1_000_003 + len(self.study.trials)) % 2**32)
        return self.study.ask({axis.key: axis.distribution for axis in self.axes if axis.distribution})

    def _trials(self, state: str) -> list[Any]:
        return [trial for trial in self.study.trials if trial.state.name == state]

    def _point(self, trial: Any) -> Point:
        particular = tuple(axis.at(trial.params) for axis in self.axes if axis.distribution)
        row = tuple(axis.at(trial.params) for axis in self.axes)
        return Point(particular, row, self.folder / f"{trial.number:03d}")


def _axis(override: str) -> _Axis:
    found = RANGE.fullmatch(override)
    if found:
        key, low, high = found.groups()
        return _Axis(key, (f"{key}={low}", f"{key}={high}"), _range(key, float(low), float(high)))
    choices = values(override)
    if len(choices) == 1:
        return _Axis(override, choices)
    return _Axis(override.partition("=")[0], choices, _distributions().CategoricalDistribution(choices))


def _range(key: str, low: float, high: float) -> Any:
    kind = setting_kinds().get(key, float)
    kinds = (kind, *typing.get_args(kind))
    if low >= high or not {int, float} & set(kinds):
        raise ConfigError(f"{key}={low:g}..{high:g} is no range of numbers; choices are written a,b,c.")
    log = low > 0 and high / low >= _LOGARITHMIC
    if float in kinds:
        return _distributions().FloatDistribution(low, high, log=log)
    return _distributions().IntDistribution(int(low), int(high), log=log)


def _compose_extremes(axes: Sequence[_Axis]) -> Settings:
    """The first of everything, once no end and no choice is a typo."""
    settings = compose([axis.extremes[0] for axis in axes])
    for place, axis in enumerate(axes):
        for extreme in axis.extremes[1:]:
            compose([extreme if other == place else one.extremes[0] for other, one in enumerate(axes)])
    return settings


def _distributions() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError("--trials needs Optuna: pip install 'asr[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.distributions


def _open(folder: Path, overrides: Sequence[str]) -> Any:
    import optuna

    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / STUDY}", study_name=folder.name, load_if_exists=True
    )
    before = study.user_attrs.get("overrides", list(overrides))
    if before != list(overrides):
        raise ConfigError(
            f"{folder} holds a search of other settings ({' '.join(before)}); "
            "give another run_dir=, or remove the folder to start again."
        )
    study.set_user_attr("overrides", list(overrides))
    return study
