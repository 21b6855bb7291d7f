"""The README.md of a model directory: what it was trained on, how well it does, how to make it again."""

import shlex

from asr import __version__
from asr.evaluation import Evaluation, summary
from asr.settings import Settings

_CARD = """\
# Speech recognition model

{cell} network, {layers} layers of {units} units, {features}, trained with asr {version}.

| | |
|---|---|
| training set | {train} |
| dev set | {dev} |
| epoch | {epoch}, the best on the dev set so far |
| licence | to be stated by whoever trained it: the weights carry what the recordings' licence asks for |

On the dev set ({utterances} utterances, greedy):

    {summary}

Made by

    asr train {command}
"""


def model_card(settings: Settings, evaluation: Evaluation, epoch: int) -> str:
    """Markdown with what is known at the time of saving; the licence is left to the recordings' owner."""
    direction = "Two-directional" if settings.model.bidirectional else "One-directional"
    return _CARD.format(
        cell=f"{direction} {settings.model.cell.upper()}",
        layers=settings.model.num_layers,
        units=settings.model.hidden_size,
        features=f"{settings.features.kind} features at {settings.features.sample_rate} Hz",
        version=__version__,
        train=settings.data.train,
        dev=settings.data.dev,
        epoch=epoch,
        utterances=len(evaluation.utterances),
        summary=summary(evaluation).replace("\n", "\n    "),
        command=shlex.quote(f"run_dir={settings.run_dir}") + "   # settings: config.yaml in that folder",
    )
