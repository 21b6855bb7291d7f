"""CSV and TSV corpora: LJSpeech, Common Voice, DeepSpeech, or any header that says what it means."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from asr import audio
from asr.corpus.items import Item, RecordingFinder, read_lines
from asr.errors import ManifestError
from asr.wording import counted

SUFFIXES = frozenset({".csv", ".tsv"})
FOLDERS = (".", "wavs", "clips", "audio", "wav")
"""Where tables' recordings lie, beside the table."""

_AUDIO = ("audio_filepath", "wav_filename", "audio", "path", "file", "filename", "file_name")
_TEXT = ("text", "transcript", "sentence", "transcription")
_SPEAKER = ("speaker", "speaker_id", "client_id")


class Columns(NamedTuple):
    """Where in a row things stand."""

    audio: int
    text: tuple[int, ...]
    """The first that is not empty counts."""
    speaker: int | None = None


class Format(NamedTuple):
    """How a table is written."""

    delimiter: str
    columns: Columns
    has_header: bool


_LJSPEECH = Format("|", Columns(audio=0, text=(2, 1)), has_header=False)


def recognize(path: Path) -> Format | None:
    """The format of a table, or None for one whose columns say nothing of audio and text."""
    first = read_lines(path)[0].rstrip("\r")
    for delimiter in "\t,;|":
        columns = _columns(_header(first, delimiter))
        if columns:
            return Format(delimiter, columns, has_header=True)
    # id|text|normalised text, without a header.
    return _LJSPEECH if first.count("|") in (1, 2) else None


def read(path: Path) -> Iterator[Item]:
    """Each row as an item, named by the line where it begins.

    Raises:
        ManifestError: no columns for audio and text are recognised, or the file is not a table.
    """
    form = recognize(path)
    if form is None:
        raise ManifestError(
            f"{path}: its header names no audio and text column; call them path and text (and speaker)."
        )
    lines = read_lines(path)
    finder = RecordingFinder([path.parent / name for name in FOLDERS])
    last = 0
    try:
        for first, last, row in _rows((line + "\n" for line in lines), form.delimiter):
            where = f"{path}:{first}"
            if any(_is_row(line, form, finder) for line in lines[first:last]):
                yield _unclosed(where, last)
            elif any(row) and not (form.has_header and first == 1):
                yield _item(row, form.columns, where)
    except csv.Error as error:
        raise ManifestError(
            f"{path}: the row after line {last} cannot be read ({error}); correct it, its quotation marks first."
        ) from None


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """The numbers of each row's first and last line, and its cells."""
    # Only comma-separated corpora quote; elsewhere a quotation mark is a quotation mark.
    quotes = delimiter in ",;"
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE)
    last = 0
    for row in reader:
        yield last + 1, reader.line_num, row
        last = reader.line_num


def _is_row(line: str, form: Format, finder: RecordingFinder) -> bool:
    """Whether a line names a recording and has a text: a quoted text of several lines has none that does."""
    item = _item(_header(line, form.delimiter), form.columns, "")
    name = item.recording or ""
    return bool(name) and (Path(name).suffix.lower() in audio.SUFFIXES or finder.find(name) is not None)


def _unclosed(where: str, last: int) -> Item:
    problem = (
        f"a quotation mark opens a text that runs on to line {last} and takes in rows of their own; "
        "close it, or write it twice within quotation marks"
    )
    return Item(where, None, None, problem=problem)


def _header(line: str, delimiter: str) -> list[str]:
    try:
        return next((row for *_, row in _rows([line], delimiter)), [])
    except csv.Error:
        return []


def _columns(header: Sequence[str]) -> Columns | None:
    names = [name.strip().lower() for name in header]
    audio, text, speaker = (_first(names, known) for known in (_AUDIO, _TEXT, _SPEAKER))
    return None if audio is None or text is None else Columns(audio, (text,), speaker)


def _first(names: Sequence[str], known: Iterable[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _item(row: Sequence[str], columns: Columns, where: str) -> Item:
    cells = [cell.strip() for cell in row]
    if len(cells) <= max(columns.audio, min(columns.text)):
        return Item(
            where, None, None, problem=f"only {counted(len(cells), 'column')}; complete the row or remove it"
        )
    text = next((cells[index] for index in columns.text if index < len(cells) and cells[index]), None)
    named = columns.speaker is not None and columns.speaker < len(cells)
    speaker = cells[columns.speaker] if named and columns.speaker is not None else None
    return Item(where, cells[columns.audio], text, speaker or None)
