"""Run the code of docs/tour.md from top to bottom, draw its pictures from what that leaves behind, and set its links.

.venv/bin/pip install matplotlib && .venv/bin/python docs/tour.py
"""

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

PAGE = Path(__file__).with_suffix(".md")
PICTURES = PAGE.with_suffix("")
_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[`([\w.]+)`\]\((\.\./[\w/]+\.py)(?:#L\d+)?\)")
_FRAME = 52
"""The one that the page takes apart."""
_INK, _WARM, _PALE = "#224466", "#cc5533", "#c8d4e0"

Names = dict[str, Any]


class Block(NamedTuple):
    """A block of code and what stands below it."""

    line: int
    code: str
    output: str


def blocks(page: str) -> Iterator[Block]:
    """Those of the page, in order."""
    for found in _BLOCK.finditer(page):
        yield Block(page[: found.start()].count("\n") + 1, found[1], found[2] or "")


def run(block: Block, names: Names) -> str:
    """What a block prints; ``names`` is what the blocks before it have defined, and gains what it defines."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * block.line + block.code, PAGE, "exec"), names)
    return printed.getvalue()


def with_lines(page: str) -> str:
    """The page, its links to code leading to the line at which what they name begins."""
    return _LINK.sub(_to_line, page)


def _to_line(link: re.Match[str]) -> str:
    name, target = link.groups()
    body: list[ast.stmt] = ast.parse((PAGE.parent / target).read_text(encoding="utf-8")).body
    for part in name.split("."):
        (found,) = (
            one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == part
        )
        body = found.body
    return f"[`{name}`]({target}#L{found.lineno})"


def draw(names: Names, folder: Path = PICTURES) -> None:
    """All pictures of the page, each a PNG of few colours."""
    for painter in (draw_sound, draw_features, draw_symbols, draw_lattice, draw_spikes):
        path = folder / f"{painter.__name__.removeprefix('draw_')}.png"
        painter(names).savefig(path, dpi=100)
        Image.open(path).quantize(48).save(path, optimize=True)


def draw_sound(names: Names) -> Figure:
    """The waveform, one frame of it, and that frame's spectrum with the mel filters below."""
    settings, waveform = names["settings"], names["waveform"]
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    whole, *below = [figure.add_subplot(2, 2, place) for place in ((1, 2), 3, 4)]
    begin = _FRAME * settings.hop_length
    seconds = np.arange(len(waveform)) / settings.sample_rate
    inside = slice(begin, begin + settings.window_length)
    whole.plot(seconds, waveform, linewidth=0.4, color=_INK)
    whole.axvspan(seconds[inside][0], seconds[inside][-1], color=_WARM, alpha=0.6, linewidth=0)
    whole.set(title="a waveform, and one frame of it", xlabel="seconds", xlim=(0, seconds[-1]))
    below[0].plot(1000 * seconds[inside], waveform[inside], color=_WARM, linewidth=1)
    below[0].set(title=f"frame {_FRAME}: 200 samples", xlabel="milliseconds")
    _draw_spectrum(below[1], names)
    return figure


def _draw_spectrum(axis: Axes, names: Names) -> None:
    hertz = np.linspace(0, names["settings"].sample_rate / 2, len(names["power"]))
    decibels = 10 * names["power"].log10().numpy()
    floor = decibels.min() - 25
    axis.plot(hertz, decibels, color=_WARM, linewidth=1)
    axis.plot(hertz, floor + 18 * names["front_end"].mel.numpy(), color=_INK, linewidth=0.6)
    axis.set(title="its spectrum (dB), and the 30 mel filters", xlabel="Hz", xlim=(0, hertz[-1]))


def draw_features(names: Names) -> Figure:
    """Log mel energies, and the normalised features."""
    front_end, settings, normalized = names["front_end"], names["settings"], names["normalized"]
    log_mel = front_end.log_mel(names["frames"][None] * settings.scale)[0]
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 4))
    titles = "30 log mel energies", "13 MFCC, their changes, and the changes of these: normalised"
    for axis, values, title in zip(axes, (log_mel.numpy(), normalized.numpy()), titles, strict=True):
        extent = (0, len(values) * settings.hop_seconds, 0, values.shape[1])
        limits = np.percentile(values, [1, 99])
        axis.imshow(values.T, aspect="auto", origin="lower", extent=extent, cmap="magma", clim=limits)
        axis.set_title(title)
    axes[1].set_yticks([0, 13, 26, 39])
    axes[1].set_xlabel("seconds")
    return figure


def draw_symbols(names: Names) -> Figure:
    """The probability of each symbol over the middle of the recording."""
    shares, symbols = names["log_probs"].exp().numpy(), names["vocabulary"].symbols
    shown = slice(17, 54)
    rows = np.arange(len(shares))[shown]
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axis = figure.add_subplot()
    axis.fill_between(rows, shares[shown, 0], color=_PALE, linewidth=0)
    axis.text(40.5, 0.5, "blank", ha="center", color=_INK)
    for label, symbol in enumerate(symbols[1:], 1):
        curve, color = shares[shown, label], colormaps["Dark2"](label % 8)
        if curve.max() > 0.3:
            axis.plot(rows, curve, linewidth=1.4, color=color)
        for peak in _peaks(curve):
            axis.text(rows[peak], 1.04, symbol.replace(" ", "␣"), ha="center", color=color, fontsize=12)
    axis.set(
        xlabel="row (20 milliseconds each)", ylabel="probability", xlim=(rows[0], rows[-1]), ylim=(0, 1.18)
    )
    return figure


def _peaks(curve: np.ndarray) -> np.ndarray:
    """Where a probability is more than a half and higher than before and after."""
    padded = np.pad(curve, 1)
    return np.flatnonzero((curve > 0.5) & (curve > padded[:-2]) & (curve >= padded[2:]))


def draw_lattice(names: Names) -> Figure:
    """The states of "see" over six rows, each with its forward variable, and every way that leads to the end."""
    probs, labels, forward = names["probs"], names["see"], names["forward_variables"]
    alpha = forward(probs, labels)
    used = alpha * forward(probs.flip(0), labels[::-1]).flip(0, 1) > 0
    states = "-" + "".join(f"{'-se'[label]}-" for label in labels)
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axis = figure.add_subplot()
    for row, state in np.argwhere(used.numpy()):
        over = state > 1 and states[state] not in ("-", states[state - 2])
        for before in range(max(state - 1 - over, 0), state + 1):
            if row and used[row - 1, before]:
                axis.plot([row - 1, row], [before, state], color=_INK, linewidth=0.8, zorder=1)
    for (row, state), value in np.ndenumerate(alpha.numpy()):
        ink, edge = ("black", _INK) if used[row, state] else ("#999999", _PALE)
        axis.scatter(row, state, s=1000, color="white", edgecolor=edge, zorder=2)
        axis.text(row, state, f"{value:.3f}", color=ink, ha="center", va="center", fontsize=9, zorder=3)
    axis.set(xlabel="row", xlim=(-0.5, len(alpha) - 0.5), ylim=(len(states) - 0.4, -0.6))
    axis.set_xticks(range(len(alpha)), range(1, len(alpha) + 1))
    axis.set_yticks(range(len(states)), states, fontsize=14)
    return figure


def draw_spikes(names: Names) -> Figure:
    """Thirty rows that learn to say "see", at five moments."""
    moments = (0, 10, 30, 50, 300)
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots(len(moments), 1, sharex=True)
    for axis, step in zip(axes, moments, strict=True):
        shares = names["history"][step].numpy()
        rows = np.arange(1, len(shares) + 1)
        axis.fill_between(rows, shares[:, 0], color=_PALE, linewidth=0, label="blank")
        axis.plot(rows, shares[:, 1], color=_WARM, label="s")
        axis.plot(rows, shares[:, 2], color=_INK, label="e")
        axis.set(ylabel=f"step {step}", ylim=(0, 1.05), xlim=(1, len(shares)))
    axes[0].legend(loc="upper right", ncols=3, frameon=False)
    axes[-1].set_xlabel("row")
    return figure


def main() -> None:
    """Set the links, run all blocks, show what they print, and draw."""
    names: Names = {}
    page = with_lines(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(page, encoding="utf-8")
    for block in blocks(page):
        print(run(block, names), end="")
    draw(names)


if __name__ == "__main__":
    main()
