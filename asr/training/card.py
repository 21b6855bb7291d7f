"""The README.md of a model directory: what it was trained on, how well it does, how to make it again."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from asr import __version__
from asr.evaluation import Evaluation, summary
from asr.kinds import kind_of
from asr.settings import Settings, to_dict

_ALWAYS = ("features.delta_order", "features.cmvn")
"""Where ``asr train`` by itself, with the presets of conf/config.yaml, does not have the default of the settings."""
_CARD = """\
# Speech recognition model

{cell} network ({kind}), {layers} layers of {units} units, {features}, trained with asr {version}.

| | |
|---|---|
| training set | {train} |
| dev set | {dev} |
| epoch | {epochs}, the best on the dev set so far |
| licence | to be stated by whoever trained it: the weights carry what the recordings' licence asks for |

On the dev set ({utterances} utterances, {decoder}):

    {summary}

{remark}Made by

    asr train {command}
"""


def model_card(settings: Settings, evaluation: Evaluation, epochs: str, remark: str = "") -> str:
    """Markdown with what is known at the time of saving; the licence is left to the recordings' owner."""
    direction = "Two-directional" if settings.model.bidirectional else "One-directional"
    return _CARD.format(
        cell=f"{direction} {settings.model.cell.upper()}",
        kind=settings.model.kind,
        layers=settings.model.num_layers,
        units=settings.model.hidden_size,
        features=f"{settings.features.kind} features at {settings.features.sample_rate} Hz",
        version=__version__,
        train=settings.data.train,
        dev=settings.data.dev,
        epochs=epochs,
        utterances=len(evaluation.utterances),
        decoder="beam" if kind_of(settings.model).search else "greedy",
        summary=summary(evaluation).replace("\n", "\n    "),
        remark=f"{remark}\n\n" if remark else "",
        command=" ".join(shlex.quote(override) for override in _overrides(settings)),
    )


def _overrides(settings: Settings) -> Iterator[str]:
    """Every setting that the command line has to be told."""
    for (key, value), (_, default) in zip(
        _leaves(to_dict(settings)), _leaves(to_dict(Settings())), strict=True
    ):
        if value != default or key in _ALWAYS:
            yield f"{key}={_spelled(value)}"


def _spelled(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{','.join(map(str, value))}]"
    return "null" if value is None else str(value)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
