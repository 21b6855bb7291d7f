"""``asr compare``: whether one system is really better than another on the same test set."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.wording import counted

if TYPE_CHECKING:
    from asr.comparison import Comparison, Difference
    from asr.evaluation import Evaluation
    from asr.scoring import Interval, Pair


def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(help="Folders that `asr evaluate -o` or `asr score -o` wrote.", metavar="A B..."),
    ],
    changed: Annotated[
        int, typer.Option(min=0, help="Utterances to show of those that changed most, of each system.")
    ] = 5,
    words: Annotated[int, typer.Option(min=0, help="Words to show of those fixed and broken.")] = 10,
) -> None:
    """Compare systems on one test set with the first: differences, 95 % intervals, tests, what changed.

    A difference is negative where a system makes fewer errors than the first. better is the share of 10,000 paired
    bootstrap samples in which it does, p the two-sided p-value of these samples, MAPSSWE that of NIST's matched-pairs
    test. Sets that differ are refused.

    Examples:

        asr compare greedy/ beam/

        asr compare report_a/ report_b/ report_c/ --changed 0 --words 0
    """
    from asr.comparison import compare as put_together
    from asr.evaluation.folder import load

    if len(reports) < 2:
        raise typer.BadParameter("give two folders at least.")
    comparison = put_together(dict(zip(_names(reports), map(load, reports), strict=True)))
    print("\n".join(_table(comparison)))
    for name in list(comparison.systems)[1:]:
        print("\n".join(_changes(comparison, name, changed, words)))


def _names(reports: Sequence[Path]) -> list[str]:
    """The folders' own names where they differ, else their paths."""
    names = [path.resolve().name for path in reports]
    names = names if len(set(names)) == len(names) else [str(path) for path in reports]
    if len(set(names)) < len(names):
        raise typer.BadParameter("a folder stands there twice.")
    return names


def _table(comparison: "Comparison") -> Iterator[str]:
    baseline = comparison.baseline
    speakers = len(set(baseline.speakers or []))
    over = [counted(len(baseline.utterances), "utterance"), counted(baseline.words.num_reference, "word")]
    yield ", ".join([*over, counted(speakers, "speaker")] if speakers else over)
    differences = comparison.differences()
    rows = [["system", "WER %", "95 %", "CER %", "SER %", "difference", "95 %", "better", "p", "MAPSSWE p"]]
    if speakers > 1:
        rows[0].insert(7, "over speakers")
    for name, evaluation in comparison.systems.items():
        row = [name, *_rates(evaluation)]
        rows.append(row + (_against(differences[name]) if name in differences else [""] * (len(rows[0]) - 5)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([row[0].ljust(widths[0]), *cells]).rstrip()


def _rates(evaluation: "Evaluation") -> list[str]:
    sentences = evaluation.sentence_errors / max(len(evaluation.utterances), 1)
    rates = (evaluation.words.rate, evaluation.characters.rate, sentences)
    wer, cer, ser = (f"{100 * rate:.2f}" for rate in rates)
    return [wer, _bounds(evaluation.interval), cer, ser]


def _against(found: "Difference") -> list[str]:
    over_speakers = [] if found.over_speakers is None else [_bounds(found.over_speakers)]
    return [
        f"{100 * found.wer:+.2f}",
        _bounds(found.interval),
        *over_speakers,
        f"{found.improvement:.3f}",
        _p(found.p_value),
        _p(found.matched_pairs.p_value),
    ]


def _bounds(interval: "Interval") -> str:
    return f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _changes(comparison: "Comparison", name: str, most: int, most_words: int) -> Iterator[str]:
    from asr.evaluation.text_files import aligned

    found, words = comparison.changed(name), comparison.words(name)
    first = next(iter(comparison.systems))
    fewer, more = (sum(sign * one.gain > 0 for one in found) for sign in (1, -1))
    yield f"\n{name}: {counted(len(found), 'utterance')} changed, {fewer} with fewer errors, {more} with more"
    for kind, counter in {"fixed": words.fixed, "broken": words.broken}.items():
        yield f"{counter.total()} words {kind}{_most(counter, most_words)}"
    for one in found[:most]:
        yield f"\n{one.name}: {one.gain:+d} right\n{first}\n{aligned(one.before)}\n{name}\n{aligned(one.after)}"


def _most(counter: "Counter[Pair]", most: int) -> str:
    from asr.scoring.tally import most_common

    rows = [
        f"{said or '*'}->{heard or '*'}" + (f" x{times}" if times > 1 else "")
        for (said, heard), times in most_common(counter, most)
    ]
    return ": " + ", ".join(rows) if rows else ""
