"""What every layout yields before any recording is opened, and how the recordings are found on disk."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asr import audio
from asr.errors import ManifestError


@dataclass(frozen=True)
class Item:
    """One utterance as a corpus states it."""

    where: str
    """What messages call it: the file and line, or the utterance's id, that states it."""
    recording: str | None
    """Its path as the corpus writes it."""
    text: str | None
    speaker: str | None = None
    start: float | None = None
    """Seconds; given, the utterance is a part of its recording."""
    end: float | None = None
    """Seconds; None is the end of the recording."""
    problem: str = ""
    """What its layout already found wrong, and the remedy."""


@dataclass
class RecordingFinder:
    """Finds recordings below several folders, whatever extension they have now: corpora are re-encoded."""

    folders: Sequence[Path]
    _listings: dict[Path, dict[str, Path]] = field(default_factory=dict)

    def find(self, name: str) -> Path | None:
        """The file that a corpus calls ``name``: exactly, or else with any audio extension."""
        for folder in self.folders:
            path = folder / name
            if os.path.isfile(path):
                return path
            stem = path.stem if path.suffix.lower() in audio.SUFFIXES else path.name
            if stem in (listing := self._listing(path.parent)):
                return listing[stem]
        return None

    def _listing(self, folder: Path) -> dict[str, Path]:
        if folder not in self._listings:
            self._listings[folder] = _recordings_by_stem(folder)
        return self._listings[folder]


def _recordings_by_stem(folder: Path) -> dict[str, Path]:
    try:
        paths = sorted(folder.iterdir(), reverse=True)
    except (OSError, ValueError):
        return {}
    return {path.stem: path for path in paths if path.suffix.lower() in audio.SUFFIXES}


def read_lines(path: Path) -> list[str]:
    """The lines of a corpus's text file.

    Raises:
        ManifestError: it cannot be read as UTF-8.
    """
    try:
        # Not splitlines: a transcript may hold U+2028 and the like.
        return path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: not UTF-8 text; convert it, with iconv for instance.") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror}).") from None
