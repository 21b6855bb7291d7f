"""The list of utterances that everything reads: JSON lines with NeMo's names, one utterance a line.

    {"audio_filepath": "clips/a.wav", "duration": 2.31, "text": "seven two", "speaker": "theo"}

``offset`` (seconds, 0 too) makes the utterance a segment of its file. ``features_filepath`` replaces the
audio by precomputed features. ``member`` says that the recording lies inside a tar file, and where (``asr.shards``).
Relative paths resolve against the manifest's folder. Keys of your own are kept.
"""

import dataclasses
import json
import os
import reprlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from asr.errors import ManifestError
from asr.whole_files import written_beside
from asr.wording import printable


class Member(NamedTuple):
    """A recording inside a tar file: its name there, and the bytes that it takes."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest, its paths made absolute."""

    audio_filepath: str | None
    duration: float
    text: str
    offset: float | None = None
    """Seconds; given, the utterance is ``duration`` seconds of its file from there on, else all of it."""
    speaker: str | None = None
    features_filepath: str | None = None
    member: Member | None = None
    """Where in the tar file that ``audio_filepath`` then is."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What messages call it: its path, and the segment's start where it has one."""
        path = self.audio_filepath or self.features_filepath or str(self.extra.get("id", "?"))
        if self.member is not None:
            path = f"{path}/{self.member.name}"
        return path if self.offset is None else f"{path}@{self.offset:g}s"

    @property
    def start(self) -> float:
        """Seconds into its file."""
        return self.offset or 0.0


_FIELDS = {field.name for field in dataclasses.fields(Utterance)} - {"extra"}


def read_manifest(path: str | os.PathLike[str], *, needs_audio: bool = True) -> list[Utterance]:
    """Every utterance of a manifest, in its order; without ``needs_audio`` also what is nothing but text.

    Raises:
        ManifestError: the file is missing, holds nothing, or a line is not a valid utterance.
    """
    utterances = []
    for read in read_lines(path, needs_audio=needs_audio).values():
        if isinstance(read, ManifestError):
            raise read
        utterances.append(read)
    return utterances


def read_lines(
    path: str | os.PathLike[str], *, needs_audio: bool = True
) -> dict[int, Utterance | ManifestError]:
    """What each line that is not empty holds, by its number: an utterance, or what is wrong with it.

    Raises:
        ManifestError: the file is missing or holds nothing.
    """
    path = Path(path)
    read: dict[int, Utterance | ManifestError] = {}
    for number, line in _lines(path):
        try:
            read[number] = _parse(line, f"{path}:{number}", path.parent, needs_audio)
        except ManifestError as error:
            read[number] = error
    if not read:
        raise ManifestError(f"{path}: the manifest is empty; `asr data build` makes one.")
    return read


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        # Not splitlines: a text may hold U+2028 and the like, which JSON does not escape.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: no such manifest; `asr data build` makes one, or, of a recipe's corpus, its prepare.py."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as UTF-8 text ({error}).") from None
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def write_manifest(path: str | os.PathLike[str], utterances: Iterable[Utterance]) -> None:
    """Write beside, then rename: a reader never sees half a manifest. Paths below its folder become relative.

    Raises:
        ManifestError: it cannot be written there, or a path or text is not Unicode.
    """
    path = Path(path)
    folder = path.parent.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(path) as partial, open(partial, "wb") as file:
            file.writelines(_encoded(utterance, folder) for utterance in utterances)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written ({error}); choose another place or name.") from None


def _encoded(utterance: Utterance, folder: Path) -> bytes:
    line = json.dumps(_as_line(utterance, folder), ensure_ascii=False) + "\n"
    try:
        return line.encode()
    except UnicodeEncodeError as error:
        what = printable(line[error.start : error.end])
        raise ManifestError(
            f"{printable(utterance.name)}: cannot be written to a manifest, which is UTF-8 ({what} is no character); "
            "rename the recording or correct its text."
        ) from None


def parse_object(line: str, where: str, unit: str) -> dict[str, Any]:
    """A line of JSON that describes one ``unit``.

    Raises:
        ManifestError: it is no object; the sentence begins with ``where``.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", "nested too deep, or a number too long")
        raise ManifestError(f"{where}: not a JSON object ({what}); one {unit} a line.") from None
    if not isinstance(entry, dict):
        raise ManifestError(f"{where}: not a JSON object; one {unit} a line.")
    return entry


def _parse(line: str, where: str, folder: Path, needs_audio: bool) -> Utterance:
    entry = parse_object(line, where, "utterance")
    if needs_audio and not (entry.get("audio_filepath") or entry.get("features_filepath")):
        raise ManifestError(f"{where}: neither audio_filepath nor features_filepath is given.")
    for key in ("audio_filepath", "features_filepath", "speaker"):
        if entry.get(key) is not None and not isinstance(entry[key], str):
            raise ManifestError(f"{where}: {key} must be a string, not {reprlib.repr(entry[key])}.")
    if not isinstance(entry.get("text"), str):
        raise ManifestError(f"{where}: text is missing or not a string.")
    known = {key: value for key, value in entry.items() if key in _FIELDS}
    known["duration"] = _seconds(entry, "duration", where)
    known["offset"] = None if entry.get("offset") is None else _seconds(entry, "offset", where)
    known["member"] = _member(entry, where)
    known["audio_filepath"] = _absolute(entry.get("audio_filepath"), folder)
    known["features_filepath"] = _absolute(entry.get("features_filepath"), folder)
    return Utterance(**known, extra={key: value for key, value in entry.items() if key not in _FIELDS})


def _seconds(entry: Mapping[str, Any], key: str, where: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= sys.float_info.max:
        raise ManifestError(f"{where}: {key} must be a number of seconds, not {reprlib.repr(value)}.")
    return float(value)


def _member(entry: Mapping[str, Any], where: str) -> Member | None:
    value = entry.get("member")
    match value:
        case None:
            return None
        case [str(name), int(offset), int(size)] if offset >= 0 and size >= 0 and entry.get("audio_filepath"):
            return Member(name, offset, size)
    raise ManifestError(
        f"{where}: member must be [name, offset, size] in a tar file, not {reprlib.repr(value)}."
    )


def _absolute(path: str | None, folder: Path) -> str | None:
    return None if path is None else os.path.normpath(folder.absolute() / path)


def _as_line(utterance: Utterance, folder: Path) -> dict[str, Any]:
    """Defaults are left out, so that a plain corpus has plain lines."""
    line: dict[str, Any] = {}
    for key in ("audio_filepath", "features_filepath"):
        path = getattr(utterance, key)
        if path is not None:
            line[key] = _relative(path, folder)
    line |= {"duration": round(utterance.duration, 6), "text": utterance.text}
    if utterance.offset is not None:
        line["offset"] = round(utterance.offset, 6)
    if utterance.speaker is not None:
        line["speaker"] = utterance.speaker
    if utterance.member is not None:
        line["member"] = list(utterance.member)
    return line | dict(utterance.extra)


def _relative(path: str, folder: Path) -> str:
    absolute = Path(path).resolve()
    return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else str(absolute)
