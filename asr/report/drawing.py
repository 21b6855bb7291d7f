"""What a recognizer sees of one recording as one PNG: waveform, features, symbol probabilities, attention, words."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.report.sight import Sight, name_symbol
from asr.whole_files import written_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES_A_SECOND = 1.5
_LEAST, _MOST = 11.0, 60.0
"""Inches across."""


def draw(path: Path, sight: Sight, dpi: int = 110) -> None:
    """Write beside, then rename; what is not known has no panel."""
    # Here, as it takes longer to import than all else.
    from matplotlib.figure import Figure

    panels = [(_draw_posteriors, 3.0), (_draw_words, 0.8)]
    if sight.attention is not None:
        panels.insert(1, (_draw_attention, max(2.0, 0.12 * len(sight.attention))))
    if sight.features is not None:
        panels.insert(0, (_draw_features, 2.0))
    if sight.waveform is not None:
        panels.insert(0, (_draw_waveform, 2.0))
    width = min(_MOST, max(_LEAST, _INCHES_A_SECOND * sight.seconds))
    figure = Figure(figsize=(width, 0.9 * sum(height for _, height in panels)), layout="constrained")
    heights = [height for _, height in panels]
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (draw_panel, _) in zip(axes, panels, strict=True):
        draw_panel(axis, sight)
    axes[-1].set(xlabel="seconds", xlim=(0, sight.seconds))
    with written_beside(path) as partial, warnings.catch_warnings():
        # Its font lacks many scripts; the page has them all.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.align_ylabels(axes)
        figure.savefig(partial, format="png", dpi=dpi)


def _draw_waveform(axis: "Axes", sight: Sight) -> None:
    assert sight.waveform is not None
    time = np.linspace(0, sight.seconds, len(sight.waveform))
    axis.plot(time, sight.waveform, linewidth=0.4, color="#246")
    axis.set_ylabel("waveform")


def _draw_features(axis: "Axes", sight: Sight) -> None:
    assert sight.features is not None
    extent = (0.0, sight.seconds, 0.0, float(sight.features.shape[1]))
    axis.imshow(sight.features.T, aspect="auto", origin="lower", extent=extent, cmap="magma")
    axis.set_ylabel(sight.features_name)


def _draw_posteriors(axis: "Axes", sight: Sight) -> None:
    labels = sight.shown_symbols
    end = len(sight.log_probs) * sight.frame_seconds
    extent = (0.0, end, len(labels) - 0.5, -0.5)
    shares = np.exp(sight.log_probs[:, labels]).T
    axis.imshow(shares, aspect="auto", extent=extent, cmap="Blues", interpolation="nearest", vmin=0, vmax=1)
    names = [name_symbol(sight.symbols[label]) for label in labels]
    axis.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    axis.set_ylabel("symbol probabilities")


def _draw_attention(axis: "Axes", sight: Sight) -> None:
    assert sight.attention is not None
    rows, columns = sight.attention.shape
    extent = (0.0, columns * sight.frame_seconds, rows - 0.5, -0.5)
    axis.imshow(sight.attention, aspect="auto", extent=extent, cmap="Greens", interpolation="nearest")
    names = [name_symbol(symbol) for symbol in sight.written]
    axis.set_yticks(range(rows), names, fontsize=8, parse_math=False)
    axis.set_ylabel("attention")


def _draw_words(axis: "Axes", sight: Sight) -> None:
    for word in sight.words:
        axis.axvspan(word.start, word.end, facecolor="#cde", edgecolor="white")
        middle, text = (word.start + word.end) / 2, f"{word.text}\n{word.confidence:.2f}"
        axis.text(middle, 0.5, text, ha="center", va="center", fontsize=9, parse_math=False, clip_on=True)
    axis.set_yticks([])
    axis.set_ylabel("words")
