"""An evaluation as one HTML file that needs nothing else: rates, speakers, confusions, every alignment."""

import os
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

from asr.evaluation import Evaluation, Scored, summary
from asr.evaluation.folder import write_text
from asr.scoring import Counts
from asr.scoring.tally import most_common

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .8rem; text-align: left; }}
.bar {{ background: #b33; height: .8rem; }} .bars td:last-child {{ width: 20rem; }}
.pair {{ display: inline-block; text-align: center; margin: 0 .3rem .4rem 0; vertical-align: top; }}
.wrong {{ background: #fdd; }} .missing {{ color: #999; }} small {{ color: #666; }}
</style>
<h1>{title}</h1>
<pre>{summary}</pre>
{speakers}
<h2>Most frequent errors</h2>
<table><tr><th>times<th>said<th>heard{confusions}</table>
<h2>Utterances, worst first</h2>
<p>Above what was said, below what was heard; – where there was nothing.</p>
{utterances}
</html>
"""


def write_report(path: str | os.PathLike[str], evaluation: Evaluation, title: str) -> None:
    """Write beside, then rename."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    worst_first = sorted(evaluation.utterances, key=lambda scored: -scored.words.errors)
    page = _PAGE.format(
        title=escape(title),
        summary=escape(summary(evaluation)),
        speakers=_speakers(evaluation),
        confusions="".join(_confusions(evaluation)),
        utterances="\n".join(_utterance(scored, path.parent) for scored in worst_first),
    )
    write_text(path, page)


def _speakers(evaluation: Evaluation) -> str:
    """A bar a speaker, where speakers are known."""
    counts: dict[str, Counts] = {}
    for scored in evaluation.utterances:
        if scored.utterance.speaker is not None:
            speaker = scored.utterance.speaker
            counts[speaker] = counts.get(speaker, Counts()) + scored.words
    if not counts:
        return ""
    worst = max(max(count.rate for count in counts.values()), 1e-9)
    rows = [
        f"<tr><td>{escape(speaker)}<td>{100 * count.rate:.1f} %<td>{count.errors} of {count.num_reference}"
        f'<td><div class="bar" style="width:{100 * count.rate / worst:.0f}%"></div>'
        for speaker, count in sorted(counts.items(), key=lambda item: -item[1].rate)
    ]
    return f'<h2>Speakers</h2><table class="bars"><tr><th>speaker<th>WER<th>errors<th>{"".join(rows)}</table>'


def _confusions(evaluation: Evaluation, most: int = 20) -> Iterator[str]:
    pairs = Counter(pair for scored in evaluation.utterances for pair in scored.pairs if pair[0] != pair[1])
    for (said, heard), times in most_common(pairs, most):
        yield f"<tr><td>{times}<td>{escape(said or '–')}<td>{escape(heard or '–')}"


def _utterance(scored: Scored, folder: Path) -> str:
    pairs = "".join(_pair(*pair) for pair in scored.pairs)
    failure = f"<p>{escape(scored.failure)}" if scored.failure else ""
    errors, words = scored.words.errors, scored.words.num_reference
    heading = f"<p><small>{escape(scored.utterance.name)}: {errors} of {words}</small>"
    return f"{heading}{_player(scored, folder)}<br>{pairs}{failure}"


def _pair(said: str | None, heard: str | None) -> str:
    kind = "" if said == heard else " wrong"
    return f'<span class="pair{kind}">{escape(said or "–")}<br>{escape(heard or "–")}</span>'


def _player(scored: Scored, folder: Path) -> str:
    path = scored.utterance.audio_filepath
    if path is None or scored.utterance.member is not None:  # no browser looks into tar files
        return ""
    source = escape(Path(os.path.relpath(path, folder)).as_posix(), quote=True)
    start = scored.utterance.start
    end = start + scored.utterance.duration
    return f'<br><audio controls preload="none" src="{source}#t={start:g},{end:g}"></audio>'
