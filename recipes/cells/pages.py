"""The table and the page of a grid."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
from claims import AGREES, DISAGREES, UNDECIDED, Claim
from grid import DIRECTIONS, NAMES, Grid, Result, added, rate
from study import Study

from asr.report.page import page
from asr.report.plots import Line, lines

_MARKS = {
    AGREES: '<ins style="text-decoration:none">agree</ins>',
    DISAGREES: '<del style="text-decoration:none">disagree</del>',
    UNDECIDED: "<b>cannot tell</b>",
}
COLOURS = {cell: number for number, cell in enumerate(NAMES)}
_HEADERS = ("network", "units", "parameters", "off by", "dev WER % [95 %]", "steps", "seconds", "MB")
_ABOUT = """<p>Every network has as nearly as its units allow the same number of parameters. Steps and seconds are
those until the training loss is {loss:g} nats an utterance; MB is the peak memory of the whole process, of which the
libraries take most. Intervals are the bootstrap's over dev utterances, not over trainings: another seed moves a rate
too.</p>"""


def table(grid: Grid, results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells."""
    headers = [*_HEADERS, *(["test WER % [95 %]"] if results[0].test else [])]
    return headers, [_row(grid, one) for one in results]


def _row(grid: Grid, one: Result) -> list[str]:
    steps, seconds = (f"{value:.0f}" for value in one.until(grid.loss) or (np.nan, np.nan))
    off = 100 * (one.parameters / grid.parameters - 1)
    row = [str(one.member), str(one.units), f"{one.parameters:,}", f"{off:+.2f} %", _rate(one.counts)]
    row += [value if value != "nan" else "never" for value in (steps, seconds)]
    row.append(f"{one.megabytes:.0f}")
    return row + ([_rate(added(one.test))] if one.test else [])


def _rate(counts: Sequence[object]) -> str:
    value, interval = rate(counts)
    return f"{value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def markdown(grid: Grid, results: Sequence[Result], claims: Sequence[Claim], provenance: str) -> str:
    """Both tables, for a README."""
    headers, rows = table(grid, results)
    said = [[one.statement, one.source, f"**{one.verdict}**", one.figures] for one in claims]
    tables = [_markdown(headers, rows), _markdown(["statement", "source", "our figures", "measured"], said)]
    return "\n\n".join([*tables, provenance]) + "\n"


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (headers, ["---"] * len(headers), *rows))


def html(
    grid: Grid, results: Sequence[Result], studies: Sequence[Study], claims: Sequence[Claim], provenance: str
) -> str:
    """The whole page."""
    headers, rows = table(grid, results)
    clipped = [one for one in results if one.member.clipped]
    plots = {
        "How they train": [*_by_depth(clipped), *_losses(grid, clipped)],
        "How far the gradient reaches": list(_reaches(studies)),
        "How far they remember": list(_changes(studies)),
        "Gradients with and without clipping": list(_norms(grid, results)),
        "Gates over an utterance": list(_gates(studies)),
    }
    sections = "".join(
        f'<section><h2>{title}</h2><div class="plots">{"".join(shown)}</div></section>'
        for title, shown in plots.items()
        if shown
    )
    body = (
        f"{_ABOUT.format(loss=grid.loss)}<section><h2>What the textbooks say</h2>{_said(claims)}</section>{sections}"
        f"<section><h2>All trainings</h2>{_table(headers, rows)}</section><p><small>{escape(provenance)}</small></p>"
    )
    return page("Recurrent cells side by side", body, {})


def _said(claims: Sequence[Claim]) -> str:
    rows = [
        [
            f"{escape(one.statement)}<br><small>{escape(one.source)}</small>",
            _MARKS[one.verdict],
            escape(one.figures),
        ]
        for one in claims
    ]
    return _table(["statement", "our figures", "measured"], rows, escaped=True)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], escaped: bool = False) -> str:
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if escaped else escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _by_depth(results: Sequence[Result]) -> Iterator[str]:
    shown = []
    for cell in NAMES:
        for directions in DIRECTIONS:
            own = [one for one in results if (one.member.cell, one.member.directions) == (cell, directions)]
            points = [(float(one.member.layers), rate(one.counts)[0]) for one in own]
            if len(points) > 1:
                shown.append(Line(_name(cell, directions), points, COLOURS[cell], directions == 1))
    if shown:
        yield lines("Dev WER, %, by depth", shown, "Layers", "The table has the intervals.")


def _losses(grid: Grid, results: Sequence[Result]) -> Iterator[str]:
    shown = [
        Line(
            _name(one.member.cell, one.member.directions),
            list(zip(np.cumsum(one.column("seconds")).tolist(), one.column("loss"), strict=True)),
            COLOURS[one.member.cell],
            one.member.directions == 1,
        )
        for one in results
        if one.member.layers == grid.studied_layers
    ]
    yield lines(
        f"Loss of {grid.studied_layers}-layer networks, nats", shown, "Seconds of training", least=0.1
    )


def _reaches(studies: Sequence[Study]) -> Iterator[str]:
    for directions, name in DIRECTIONS.items():
        shown = [
            Line(
                f"{NAMES[one.result.member.cell]}{', untrained' * dashed}",
                _points(memory.past),
                COLOURS[one.result.member.cell],
                dashed,
            )
            for one in studies
            if one.result.member.directions == directions
            for dashed, memory in ((False, one.trained), (True, one.untrained))
        ]
        if shown:
            yield lines(
                f"Gradient of an output frame, {name}",
                shown,
                f"Frames back ({1000 * studies[0].frame_seconds:g} ms each)",
                "With respect to the lowest recurrent layer's input, as a share of the largest.",
                least=1e-8,
            )


def _changes(studies: Sequence[Study]) -> Iterator[str]:
    for side, what in (("changed_past", "before it"), ("changed_future", "after it")):
        shown = [
            Line(
                _name(one.result.member.cell, one.result.member.directions),
                _points(getattr(one.trained, side), one.trained.span),
                COLOURS[one.result.member.cell],
                one.result.member.directions == 1,
            )
            for one in studies
            if side == "changed_past" or one.result.member.directions == 2
        ]
        if shown:
            yield lines(
                f"Probability moved by masking {what}",
                shown,
                "Frames away",
                "Total variation of a frame's symbol probabilities when a span of frames is masked, mean over frames.",
                least=1e-5,
            )


def _norms(grid: Grid, results: Sequence[Result]) -> Iterator[str]:
    for cell in NAMES:
        own = [
            one
            for one in results
            if (one.member.cell, one.member.directions, one.member.layers)
            == (cell, grid.directions[0], grid.studied_layers)
        ]
        shown = [
            Line(
                f"{what} of an epoch, {'clipped' if one.member.clipped else 'not clipped'}",
                _points(one.column(key), first=1),
                0 if one.member.clipped else 1,
                dashed,
            )
            for one in own
            for key, what, dashed in (
                ("largest_gradient_norm", "largest", False),
                ("gradient_norm", "mean", True),
            )
        ]
        if shown:
            yield lines(f"{NAMES[cell]}: gradient norm before clipping", shown, "Epoch", least=0.1)


def _gates(studies: Sequence[Study]) -> Iterator[str]:
    for one in studies:
        for layer, gates in enumerate(one.gates, 1):
            if gates.keeping is None or one.result.member.directions != 1:
                continue
            shown = [
                Line(f"{name} gate", _points(values.mean(axis=1)), number)
                for number, (name, values) in enumerate(gates.activity.items())
            ]
            low, high = np.percentile(gates.keeping, [10, 90], axis=1)
            kept = "forget" if "forget" in gates.activity else "update"
            colour = list(gates.activity).index(kept)
            shown += [
                Line(f"{kept}, {share} of units", _points(values), colour, True)
                for share, values in (("lowest tenth", low), ("highest tenth", high))
            ]
            text = f"{one.utterance.text!r}; 1 keeps what the unit holds." if layer == 1 else ""
            title = f"{NAMES[one.result.member.cell]}, layer {layer}: mean over units"
            yield lines(title, shown, "Frame", text)


def _points(values: Sequence[float], step: int = 1, first: int = 0) -> list[tuple[float, float]]:
    return [(float(step * place), float(value)) for place, value in enumerate(values, first)]


def _name(cell: str, directions: int) -> str:
    return f"{NAMES[cell]}, {DIRECTIONS[directions]}"
