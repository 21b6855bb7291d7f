"""An audit as a page that opens offline: the most doubtful utterances, each to listen to."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from asr.audit.files import doubt, pieces
from asr.audit.verdicts import SHARE, Audit, Verdict
from asr.report.sound import link
from asr.wording import counted

MOST = 500
"""Utterances on the page; audit.tsv has all."""

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
li {{ margin: 0 0 1rem; overflow-wrap: anywhere; }} mark {{ background: #fcc; }} small, .heard {{ color: #666; }}
b {{ font-variant-numeric: tabular-nums; }} audio {{ display: block; height: 2.2rem; width: 100%; max-width: 30rem; }}
</style>
<h1>{title}</h1>
<p>{about}</p>
<p>Most doubtful first. Doubt is the log of how much likelier the text is one made wrong than one that stands as it
was written. <mark>Words</mark> that fit worst of the corpus are marked, <mark>...</mark> is where something seems to be
missing; grey is what the model writes.</p>
<p><label>Only with <input type="search" id="words" placeholder="words, speaker, fault"></label></p>
<ol>
{items}
</ol>
<script>
const items = [...document.querySelectorAll("li")];
document.getElementById("words").addEventListener("input", event => {{
  const wanted = event.target.value.toLowerCase();
  items.forEach(item => {{ item.hidden = !item.textContent.toLowerCase().includes(wanted); }});
}});
</script>
</html>
"""


def render(audit: Audit, lines: Sequence[int], title: str, folder: Path) -> str:
    """The page, to stand in ``folder``: recordings are linked from there."""
    items = [_item(one, lines[one.index], folder) for one in audit.verdicts[:MOST]]
    about = f"{counted(len(audit.verdicts), 'utterance')}. {power(audit)}"
    return _PAGE.format(title=escape(title), about=escape(about), items="\n".join(items))


def power(audit: Audit) -> str:
    """What the audit can find here, in a sentence."""
    shares = ", ".join(f"{100 * share:.0f} % with {fault}" for fault, share in audit.power.items())
    return f"Of texts made wrong on purpose, the first {100 * SHARE:g} % would hold {shares}."


def _item(one: Verdict, line: int, folder: Path) -> str:
    words = " ".join(
        f"<mark>{escape(word)}</mark>" if is_unfit or word == "..." else escape(word)
        for word, is_unfit in pieces(one)
    )
    speaker = f", speaker {one.utterance.speaker}" if one.utterance.speaker else ""
    remarks = "".join(f"<br><small>{escape(remark)}</small>" for remark in one.remarks)
    where = escape(f"line {line}{speaker}: {one.utterance.name}")
    return (
        f"<li><b>{escape(doubt(one))}</b> {escape(one.fault)}: {words}"
        f'<br><span class="heard">{escape(one.heard) or "–"}</span>{remarks}'
        f"<br><small>{where}</small>{_player(one, folder)}</li>"
    )


def _player(one: Verdict, folder: Path) -> str:
    sound = link(one.utterance, folder)
    if sound is None:
        return ""
    source, begin, end = sound
    part = f"#t={begin:g},{end:g}" if one.utterance.offset is not None else ""
    return f'<audio controls preload="none" src="{escape(source + part)}"></audio>'
