"""Transcripts and alignments as files: one function a format, one table that names them.

txt       the text, a line a recording            srt, vtt   subtitles
json      everything, an object a line            tsv        the subtitles' texts in milliseconds
textgrid  tiers of words and characters (Praat)   ctm        a word a line, for sclite
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from asr.types import Transcript
from asr.writers.objects import as_json
from asr.writers.subtitles import as_srt, as_tsv, as_vtt
from asr.writers.tables import as_ctm, as_txt
from asr.writers.textgrid import as_textgrid

__all__ = ["FORMATS", "NOTHING", "Format"]

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""Known of what made a transcript."""


@dataclass(frozen=True)
class Format:
    """A way to write a recording; called with its name and transcript it gives the file's text."""

    write: Callable[[str, Transcript, Mapping[str, Any]], str]
    suffix: str
    """Of its files, with the dot."""
    joins: bool = False
    """Whether recordings may follow each other in one file."""
    timed: bool = True
    """Whether it says when words were said."""

    def __call__(self, name: str, transcript: Transcript, meta: Mapping[str, Any] = NOTHING) -> str:
        """The text of a file; ``meta`` says what made the transcript, where a format has room for that."""
        return self.write(name, transcript, meta)


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "txt": Format(as_txt, ".txt", joins=True, timed=False),
        "json": Format(as_json, ".json", joins=True),
        "srt": Format(as_srt, ".srt"),
        "vtt": Format(as_vtt, ".vtt"),
        "tsv": Format(as_tsv, ".tsv"),
        "ctm": Format(as_ctm, ".ctm", joins=True),
        "textgrid": Format(as_textgrid, ".TextGrid"),
    }
)
"""By the names that `asr transcribe -f` takes."""
