"""Plots as SVG that take their colours from the page: rates of groups with intervals, a calibration, lines."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

_WIDTH, _HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 350, 12, 176
Group = Mapping[str, Any]
"""``label``, ``rate`` (of 1), ``interval`` (or None), and ``note``, which the pointer shows."""


class Line(NamedTuple):
    """One of a plot's."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    """0 to 5; lines of one colour belong together."""
    dashed: bool = False


def rates(title: str, groups: Sequence[Group], caption: str = "") -> str:
    """A point a group with its 95 % interval, from left to right."""
    highest = max(max([group["rate"], *(group["interval"] or [])]) for group in groups)
    top, step = _scale(100 * highest)
    places = [_LEFT + (_RIGHT - _LEFT) * (number + 0.5) / len(groups) for number in range(len(groups))]
    marks = [
        _point(place, group, top) + _below(place, group["label"], len(groups))
        for place, group in zip(places, groups, strict=True)
    ]
    levels = [level * step for level in range(round(top / step) + 1)]
    return _figure(title, [*_levels(levels, top), *marks], caption)


def calibration(bins: Sequence[Mapping[str, float]], error: float) -> str:
    """Of words of like confidence the share that is right; on the diagonal confidences hold."""
    most = max(one["count"] for one in bins)
    diagonal = f'<line class="diagonal" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_TOP}"/>'
    points = [(_across(one["confidence"]), _up(100 * one["accuracy"], 100), one) for one in bins]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dots = [
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{2 + 5 * math.sqrt(one["count"] / most):.1f}">'
        f"<title>{one['count']:g} words of confidence {one['confidence']:.2f}: "
        f"{100 * one['accuracy']:.1f} % right</title></circle>"
        for x, y, one in points
    ]
    below = [_below(_across(share / 4), f"{share / 4:g}", 5) for share in range(5)]
    line = f'<polyline class="line" points="{path}"/>'
    caption = f"Expected calibration error {error:.3f}; on the dashed line confidences hold."
    parts = [*_levels([0, 25, 50, 75, 100], 100), diagonal, line, *dots, *below]
    return _figure("Words that are right, %, by confidence", parts, caption)


def lines(
    title: str, shown: Sequence[Line], across: str, caption: str = "", least: float | None = None
) -> str:
    """``across`` names the horizontal axis; the vertical one is linear from 0, or logarithmic from ``least`` up."""
    right, step = _scale(max(x for line in shown for x, _ in line.points), least=1e-9)
    highest = max(y for line in shown for _, y in line.points if math.isfinite(y))
    top, levels = _linear(highest) if least is None else _logarithmic(highest, least)
    drawn = [
        _path(line, lambda x: _across(x / right), lambda y: _BOTTOM + (_TOP - _BOTTOM) * top(y))
        for line in shown
    ]
    ticks = [
        _below(_across(tick * step / right), f"{tick * step:g}", 5) for tick in range(round(right / step) + 1)
    ]
    marks = [_level(_BOTTOM + (_TOP - _BOTTOM) * top(level), _short(level)) for level in levels]
    key = "".join(
        f'<span><i class="c{line.colour}{" dashed" * line.dashed}"></i>{escape(line.name)}</span>'
        for line in shown
    )
    explained = f'<span class="legend">{key}</span>{escape(across)}. {escape(caption)}'
    return _figure(title, [*marks, *drawn, *ticks], explained, is_html=True)


def interval_bar(group: Group, highest: float) -> str:
    """A rate and its interval as a line of a table, 0 at its left."""
    low, high = group["interval"]
    x1, x2, x = (2 + 116 * value / max(highest, 1e-9) for value in (low, high, group["rate"]))
    return (
        '<svg class="bar" viewBox="0 0 120 14" aria-hidden="true">'
        f'<line class="whisker" x1="{x1:.1f}" x2="{x2:.1f}" y1="7" y2="7"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="7" r="3.5"/></svg>'
    )


def _figure(title: str, parts: Sequence[str], caption: str, is_html: bool = False) -> str:
    """Its first line is both heading and the name that a screen reader says."""
    explained = f"<small>{caption if is_html else escape(caption)}</small>" if caption else ""
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f"{explained}</figure>"
    )


def _point(x: float, group: Group, top: float) -> str:
    y = _up(100 * group["rate"], top)
    whisker = ""
    if group["interval"] is not None:
        low, high = (_up(100 * bound, top) for bound in group["interval"])
        whisker = f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    title = f"<title>{escape(group['label'])}: {100 * group['rate']:.2f} %, {escape(group['note'])}</title>"
    return f'<g>{title}{whisker}<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="5"/></g>'


def _below(x: float, label: str, count: int) -> str:
    """Many labels are turned."""
    if count <= 5:
        return f'<text x="{x:.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{escape(label)}</text>'
    place = f"{x + 4:.1f} {_BOTTOM + 12}"
    return f'<text transform="translate({place}) rotate(-35)" text-anchor="end">{escape(label)}</text>'


def _path(line: Line, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    """What is no number is left out."""
    points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line.points if math.isfinite(y))
    kind = f"line c{line.colour}{' dashed' * line.dashed}"
    return f'<polyline class="{kind}" points="{points}"><title>{escape(line.name)}</title></polyline>'


def _linear(highest: float) -> tuple[Callable[[float], float], list[float]]:
    """The share of the height where a value stands, and the levels that are drawn."""
    top, step = _scale(highest, least=1e-9)
    return lambda value: value / top, [number * step for number in range(round(top / step) + 1)]


def _logarithmic(highest: float, least: float) -> tuple[Callable[[float], float], list[float]]:
    """What is below ``least`` stands at the bottom."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(max(highest, 10 * least)))
    levels = [10.0**power for power in range(low, high + 1, max(1, (high - low) // 5))]
    return lambda value: (math.log10(max(value, 10.0**low)) - low) / (high - low), levels


def _short(level: float) -> str:
    """What there is room for."""
    return f"{level:g}" if not level or 0.01 <= level < 10_000 else f"1e{math.log10(level):.0f}"


def _levels(levels: Sequence[float], top: float) -> Iterator[str]:
    for level in levels:
        yield _level(_up(level, top), f"{level:g}")


def _level(y: float, label: str) -> str:
    line = f'<line class="level" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'


def _up(value: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * value / top


def _across(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * share


def _scale(highest: float, least: float = 1.0) -> tuple[float, float]:
    """The end of an axis from 0 to ``least`` or more, and its step: three to six round steps."""
    highest = max(highest, least)
    rough = highest / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return step * math.ceil(highest / step), step
