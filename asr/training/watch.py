"""How far back gradients reach, epoch by epoch: measured on a few utterances, written, and drawn."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from asr.data import Batch, collate
from asr.models import RecurrentCTC
from asr.training.files import written_beside
from asr.training.gradients import Gradients, measure
from asr.training.module import CTCTraining
from asr.training.parts import Parts
from asr.training.scorer import DevScorer

PICTURE = "gradients.png"
NUM_UTTERANCES = 4
SECONDS_BETWEEN_PICTURES = 20.0
"""A picture takes half a second, and the epoch of a toy less."""


class GradientWatch(Callback):
    """Measures after each epoch, before it is scored, so that the row of the epoch holds the norms."""

    def __init__(self, parts: Parts):
        middle = sorted(range(len(parts.train)), key=lambda index: parts.durations[index])
        first = max(0, (len(middle) - NUM_UTTERANCES) // 2)
        self.batch = collate([parts.dataset[index] for index in middle[first : first + NUM_UTTERANCES]])

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave the gradients with the module."""
        assert isinstance(pl_module, CTCTraining)
        batch = Batch(*(tensor.to(pl_module.device) for tensor in self.batch))
        network = pl_module.acoustic.network
        assert isinstance(network, RecurrentCTC)
        pl_module.gradients = measure(network, batch)


class GradientPicture(Callback):
    """Draws ``gradients.png`` every so often, and at the end."""

    def __init__(self, run_dir: Path, scorer: DevScorer):
        self.run_dir = run_dir
        self.scorer = scorer
        self.drawn = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Draw if it is time."""
        if time.monotonic() - self.drawn > SECONDS_BETWEEN_PICTURES:
            self.on_train_end(trainer, pl_module)
            self.drawn = time.monotonic()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Draw, if there is something to draw."""
        if pl_module.gradients is not None and self.scorer.history:
            draw(self.run_dir / PICTURE, pl_module.gradients, self.scorer.history)


def draw(path: Path, gradients: Gradients, history: Sequence[Mapping[str, float]]) -> None:
    """Three graphs: by frame, by distance from the last frame, by epoch; all logarithmic."""
    # Here, as it takes longer to import than all else that a report needs.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 11))
    figure.subplots_adjust(0.09, 0.05, 0.97, 0.96, hspace=0.3)
    frames, distances, epochs = figure.subplots(3, 1)
    for number, (frame, distance) in enumerate(
        zip(gradients.of_frames, gradients.by_distance, strict=True), 1
    ):
        frames.semilogy(frame.clip(1e-30), label=f"layer {number}")
        distances.semilogy(distance.clip(1e-30), label=f"layer {number}")
    for part in gradients.of_parts:
        norms = [row[f"gradient_{part}"] for row in history]
        epochs.semilogy([row["epoch"] for row in history], norms, marker=".", label=part.replace("_", " "))
    frames.set(title="CTC loss with respect to the hidden state of each frame", xlabel="frame", ylabel="norm")
    distances.set(
        title="Last frame's scores with respect to the hidden state of each before it",
        xlabel="frames back",
        ylabel="share of the norm at 0",
        ylim=(1e-8, None),
    )
    epochs.set(title="CTC loss with respect to the weights", xlabel="epoch", ylabel="norm")
    for axes in (frames, distances, epochs):
        axes.legend()
        axes.grid(alpha=0.3)
    with written_beside(path) as partial:
        figure.savefig(partial, format="png")
