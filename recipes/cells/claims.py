"""What textbooks say of recurrent cells, each held against what was measured."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from grid import NAMES, Grid, Result, pooled, rate
from study import Study

from asr import scoring
from asr.scoring import Counts, Interval

AGREES, DISAGREES, UNDECIDED = "agree", "disagree", "cannot tell"
ALIKE = 0.01
"""A difference of WER that nobody minds."""


@dataclass(frozen=True)
class Claim:
    """A statement, and whether our figures agree."""

    statement: str
    source: str
    verdict: str
    figures: str


def check(grid: Grid, results: Sequence[Result], studies: Sequence[Study]) -> list[Claim]:
    """Every statement that the trainings of this grid can tell of."""
    clipped = [one for one in results if one.member.clipped]
    return [
        *_vanishing(studies),
        *_remembering(studies),
        *_exploding(grid, results),
        *_gates(studies),
        *_cells(clipped),
        *_directions(clipped),
        *_depth(clipped),
    ]


def _vanishing(studies: Sequence[Study]) -> Iterator[Claim]:
    for when in ("untrained", "trained"):
        reach = {
            one.result.member.cell: getattr(one, when).gradient_reach()
            for one in studies
            if one.result.member.directions == 1
        }
        yield _plain_is_least(
            f"Through a plain RNN the gradient vanishes sooner than through LSTM and GRU ({when}).",
            "Bengio et al. 1994, Hochreiter and Schmidhuber 1997",
            reach,
            "{} frames back until a hundredth of the largest gradient is left",
        )


def _remembering(studies: Sequence[Study]) -> Iterator[Claim]:
    reach = {
        one.result.member.cell: one.trained.change_reach()
        for one in studies
        if one.result.member.directions == 1
    }
    yield _plain_is_least(
        "A trained plain RNN forgets first: what is masked far back changes less of its output.",
        "Hochreiter and Schmidhuber 1997",
        reach,
        "{} frames back that still move a hundredth of the probability",
    )


def _plain_is_least(statement: str, source: str, values: dict[str, int], what: str) -> Claim:
    gated = [value for cell, value in values.items() if cell in ("lstm", "gru")]
    plain = values.get("rnn_tanh")
    if plain is None or not gated:
        return Claim(statement, source, UNDECIDED, "not trained")
    equal = plain == min(gated)
    verdict = AGREES if plain < min(gated) else UNDECIDED if equal else DISAGREES
    figures = "; ".join(f"{NAMES[cell]} {value}" for cell, value in values.items())
    return Claim(statement, source, verdict, f"{what.format('').strip()}: {figures}")


def _exploding(grid: Grid, results: Sequence[Result]) -> Iterator[Claim]:
    pairs = {}
    for one in results:
        member = one.member
        if member.directions == grid.directions[0] and member.layers == grid.studied_layers:
            pairs.setdefault(member.cell, {})[member.clipped] = one
    peaks = {cell: peak(pair[False]) for cell, pair in pairs.items() if False in pair}
    gated = [value for cell, value in peaks.items() if cell != "rnn_tanh"]
    if "rnn_tanh" in peaks and gated:
        yield Claim(
            "Without clipping the gradients of a plain RNN explode, those of LSTM and GRU do not.",
            "Pascanu et al. 2013",
            AGREES if math.isfinite(max(gated)) and peaks["rnn_tanh"] >= 10 * max(gated) else DISAGREES,
            "largest gradient of a step, as a multiple of the median epoch's mean (agrees from ten times as much on): "
            + "; ".join(f"{NAMES[cell]} {value:.3g}" for cell, value in peaks.items()),
        )
    for cell, pair in pairs.items():
        if cell == "rnn_tanh" and len(pair) == 2:
            # The unclipped one has fewer seeds: it is compared with the same of the other.
            clipped = replace(pair[True], dev=pair[True].dev[: len(pair[False].dev)])
            yield _compared(
                "A plain RNN trains better with clipping.", "Pascanu et al. 2013", [clipped], [pair[False]]
            )


def peak(result: Result) -> float:
    """The largest gradient of any step against the usual one; infinite where one was no number."""
    if any(row["left_out"] for run in result.runs for row in run["epochs"]):
        return math.inf
    return max(result.column("largest_gradient_norm")) / float(np.median(result.column("gradient_norm")))


def _gates(studies: Sequence[Study]) -> Iterator[Claim]:
    for one in studies:
        keeping = [gates.keeping for gates in one.gates]
        if one.result.member.directions != 1 or keeping[0] is None:
            continue
        name = {"lstm": "forget", "gru": "update"}[one.result.member.cell]
        means = [float(layer.mean()) for layer in keeping if layer is not None]
        yield Claim(
            f"A trained {NAMES[one.result.member.cell]} mostly keeps what it holds: its {name} gate is above a half.",
            "Gers et al. 2000" if name == "forget" else "Cho et al. 2014",
            AGREES if min(means) > 0.5 else DISAGREES,
            "mean of the gate over an utterance, by layer: " + ", ".join(f"{mean:.2f}" for mean in means),
        )


def _cells(results: Sequence[Result]) -> Iterator[Claim]:
    of = {cell: [one for one in results if one.member.cell == cell] for cell in NAMES}
    for cell in ("lstm", "gru"):
        if of[cell] and of["rnn_tanh"]:
            yield _compared(
                f"At equal parameters {NAMES[cell]} beats a plain RNN.",
                "Chung et al. 2014",
                of[cell],
                of["rnn_tanh"],
            )
    if of["lstm"] and of["gru"]:
        interval = scoring.difference(pooled(of["lstm"]), pooled(of["gru"]))
        differ = interval.low > ALIKE or interval.high < -ALIKE
        alike = max(-interval.low, interval.high) < ALIKE
        yield Claim(
            f"LSTM and GRU are alike, within {100 * ALIKE:g} point.",
            "Chung et al. 2014, Jozefowicz et al. 2015",
            AGREES if alike else DISAGREES if differ else UNDECIDED,
            _difference(pooled(of["lstm"]), pooled(of["gru"])),
        )


def _directions(results: Sequence[Result]) -> Iterator[Claim]:
    one, two = ([one for one in results if one.member.directions == count] for count in (1, 2))
    if one and two:
        yield _compared(
            "At equal parameters two directions beat one.",
            "Schuster and Paliwal 1997, Graves et al. 2013",
            two,
            one,
        )


def _depth(results: Sequence[Result]) -> Iterator[Claim]:
    depths = sorted({one.member.layers for one in results})
    if len(depths) < 3:
        return
    by_depth = {depth: pooled(one for one in results if one.member.layers == depth) for depth in depths}
    best = min(depths, key=lambda depth: scoring.total(by_depth[depth]).rate)
    rates = ", ".join(f"{depth}: {rate(by_depth[depth])[0]:.2f} %" for depth in depths)
    gain = scoring.difference(by_depth[best], by_depth[depths[0]])
    loss = scoring.difference(by_depth[depths[-1]], by_depth[best])
    helps = best != depths[0] and gain.high < 0
    ends = best != depths[-1] and loss.low > 0
    verdict = AGREES if helps and ends else DISAGREES if best in (depths[0], depths[-1]) else UNDECIDED
    yield Claim(
        "At equal parameters depth helps up to a point.",
        "Graves et al. 2013",
        verdict,
        f"WER by layers, all cells and directions: {rates}; {best} less {depths[0]}: {_interval(gain)}; "
        f"{depths[-1]} less {best}: {_interval(loss)}",
    )


def _compared(statement: str, source: str, ours: Sequence[Result], theirs: Sequence[Result]) -> Claim:
    """Agrees where the whole interval of the difference is below zero, disagrees where it is above."""
    our, their = pooled(ours), pooled(theirs)
    interval = scoring.difference(our, their)
    verdict = AGREES if interval.high < 0 else DISAGREES if interval.low > 0 else UNDECIDED
    return Claim(statement, source, verdict, _difference(our, their))


def _difference(ours: Sequence[Counts], theirs: Sequence[Counts]) -> str:
    interval = scoring.difference(ours, theirs)
    return (
        f"WER {rate(ours)[0]:.2f} against {rate(theirs)[0]:.2f} %, difference {_interval(interval)} "
        "(95 %, paired by dev utterance)"
    )


def _interval(found: Interval) -> str:
    return f"[{100 * found.low:+.2f}, {100 * found.high:+.2f}]"
