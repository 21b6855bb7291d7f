"""One HTML file that needs nothing else: the template with its style and its scripts inside, and their data."""

import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from string import Template
from typing import Any

_ASSETS = resources.files("asr.report") / "assets"


def page(title: str, body: str, data: Mapping[str, Any]) -> str:
    """``body`` is HTML; each value of ``data`` becomes JSON in an element of that id, read when it is needed."""
    scripts = (_read(name) for name in ("player.js", "strips.js", "utterances.js"))
    return Template(_read("page.html")).substitute(
        title=escape(title),
        style=_read("style.css"),
        body=body,
        data="\n".join(_element(name, value) for name, value in data.items()),
        script="\n".join(scripts),
    )


def _read(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _element(name: str, value: Any) -> str:
    """No text can end the element: JSON may write < as an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{escape(name)}">{text}</script>'
