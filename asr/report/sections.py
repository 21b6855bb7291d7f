"""The parts of a report that are plain HTML: rates, plots, tables of groups and of errors, from ``figures``."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from asr.evaluation import Evaluation, summary
from asr.report import plots
from asr.wording import counted

_AXES = {
    "duration": "seconds of the utterance",
    "words": "words of the reference",
    "rate": "words a second",
    "confidence": "mean confidence of the words heard",
    "snr": "signal-to-noise ratio, dB",
}
_NOTHING = "∅"
_KINDS = ("substitutions", "deletions", "insertions")

Figures = Mapping[str, Any]


def sections(evaluation: Evaluation, found: Figures) -> str:
    """All of them, in the order of the page."""
    lines = f"<details><summary>As lines to quote</summary><pre>{escape(summary(evaluation))}</pre></details>"
    parts = [_rates(found), _setup(found), lines, *_failures(evaluation)]
    charts = list(_charts(found))
    if charts:
        parts.append(f'<section><h2>Where it fails</h2><div class="plots">{"".join(charts)}</div></section>')
    parts += [_group(field, groups) for field, groups in found["groups"].items() if field not in _AXES]
    parts += [*_errors(found), *_decoder(found)]
    return "\n".join(parts)


def _rates(found: Figures) -> str:
    names = {
        "words": "Word error rate",
        "characters": "Character error rate",
        "sentences": "Utterance error rate",
    }
    cards = [_card(name, found[key]) for key, name in names.items()]
    minutes, utterances = found["audio_seconds"] / 60, found["utterances"]
    sound = f"<small>{minutes:.1f} minutes of audio</small>" if minutes else ""
    cards.append(
        f'<div class="card"><span>Test set</span><b>{utterances}</b><small>utterances</small>{sound}</div>'
    )
    return f'<div class="cards">{"".join(cards)}</div>'


def _card(name: str, rate: Figures) -> str:
    intervals = {"": rate["interval"], ", over speakers": rate["interval_over_speakers"]}
    lines = [
        f"<small>95 %: {100 * bounds[0]:.2f} to {100 * bounds[1]:.2f}{over}</small>"
        for over, bounds in intervals.items()
        if bounds is not None
    ]
    count = f"<small>{rate['errors']} of {rate['reference']}</small>"
    return (
        f'<div class="card"><span>{name}</span><b>{100 * rate["rate"]:.2f} %</b>{"".join(lines)}{count}</div>'
    )


def _setup(found: Figures) -> str:
    names = {"normalization": "texts", "weights": "alignment", "version": "made by"}
    rows = [
        f"<dt>{names.get(key, key)}</dt><dd>{escape(value)}</dd>"
        for key, value in found["setup"].items()
        if value
    ]
    return f"<dl>{''.join(rows)}</dl>" if rows else ""


def _failures(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.failures:
        lines = "".join(f"<li>{escape(scored.failure or '')}</li>" for scored in evaluation.failures)
        heading = f"{counted(len(evaluation.failures), 'utterance')} could not be transcribed"
        yield f"<details open><summary>{heading}; each word counts as deleted</summary><ul>{lines}</ul></details>"


def _charts(found: Figures) -> Iterator[str]:
    for field, groups in found["groups"].items():
        if field in _AXES:
            yield plots.rates(f"WER, %, by {_AXES[field]}", [_noted(group) for group in groups])
    if found["calibration"]:
        yield plots.calibration(found["calibration"]["bins"], found["calibration"]["error"])
    if found["frequencies"]:
        yield _frequencies(found["frequencies"])


def _noted(group: Figures) -> dict[str, Any]:
    words, utterances = (
        f"{group['errors']} of {group['reference']}",
        counted(group["utterances"], "utterance"),
    )
    return {**group, "note": f"{words} words, {utterances}"}


def _frequencies(frequencies: Figures) -> str:
    groups = [
        {
            "label": _times(one),
            "rate": one["errors"] / one["words"],
            "interval": None,
            "note": f"{one['errors']} of {one['words']} words",
        }
        for one in frequencies["bins"]
        if one["words"]
    ]
    share = 100 * frequencies["out_of_vocabulary"]
    caption = f"Substituted or deleted. {share:.2f} % of the words are in no training text."
    return plots.rates("Words missed, %, by times in the training text", groups, caption)


def _times(one: Figures) -> str:
    if one["most"] == 0:
        return "never"
    return f"{one['least']}+" if one["most"] is None else f"{one['least']}–{one['most']}"


def _group(field: str, groups: Sequence[Figures]) -> str:
    highest = max(group["interval"][1] for group in groups)
    head = "".join(
        f'<th aria-sort="none"><button type="button">{name}</button></th>'
        for name in (escape(field), "WER %", "errors", "words", "utterances")
    )
    rows = "".join(
        f"<tr>{_cells(group)}<td>{plots.interval_bar(group, highest)}</td></tr>" for group in groups
    )
    table = (
        f'<table class="sortable"><thead><tr>{head}<th>95 %</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    return f'<section><h2>By {escape(field)}</h2><div class="scroll" tabindex="0">{table}</div></section>'


def _cells(group: Figures) -> str:
    low, high = (100 * bound for bound in group["interval"])
    rate = f'<td title="95 % interval {low:.2f} to {high:.2f}">{100 * group["rate"]:.2f}</td>'
    numbers = "".join(f"<td>{group[key]}</td>" for key in ("errors", "reference", "utterances"))
    return f"<td>{escape(group['label'])}</td>{rate}{numbers}"


def _errors(found: Figures) -> Iterator[str]:
    for level, lists in found["errors"].items():
        if any(lists.values()):
            columns = "".join(_errors_of_kind(kind, lists[kind], level) for kind in _KINDS)
            yield f'<section><h2>Wrong {level}</h2><div class="lists">{columns}</div></section>'


def _errors_of_kind(kind: str, rows: Sequence[Sequence[Any]], level: str) -> str:
    """Of words, each line is a button that shows the utterances which have that error."""
    items = "".join(f"<li>{_error(kind, *row, is_button=level == 'words')}</li>" for row in rows)
    items = items or "<li>none</li>"
    return f'<div><h3>{kind}</h3><ol class="scroll" tabindex="0">{items}</ol></div>'


def _error(kind: str, times: int, *words: str, is_button: bool) -> str:
    said, heard = (words[0], words[-1]) if kind == "substitutions" else ("", words[0])
    said, heard = (heard, said) if kind == "deletions" else (said, heard)
    shown = f"<i>{times}</i> <del>{_shown(said)}</del> → <ins>{_shown(heard)}</ins>"
    if not is_button:
        return f"<span>{shown}</span>"
    return f'<button type="button" data-said="{escape(said)}" data-heard="{escape(heard)}">{shown}</button>'


def _shown(word: str) -> str:
    return escape(word.replace(" ", "␣")) or _NOTHING


def _decoder(found: Figures) -> Iterator[str]:
    lines = []
    if found["oracle"]:
        lines.append(f"Best of each n-best list: WER {100 * found['oracle']['rate']:.2f} %.")
    if found["greedy"]:
        fixed, broken = (found["greedy"][name]["words"] for name in ("fixed", "broken"))
        rate = f"Greedy decoding: WER {100 * found['greedy']['rate']:.2f} %"
        lines.append(f"{rate}; this decoder fixes {counted(fixed, 'word')} and breaks {broken}.")
    if lines:
        yield f"<section><h2>What the decoder does</h2>{''.join(f'<p>{line}</p>' for line in lines)}</section>"
