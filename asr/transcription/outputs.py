"""Where transcripts go: to stdout in the order of the inputs, or each to a file that is whole or not there."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from asr.errors import AsrError, OutputError
from asr.transcription.jobs import Job
from asr.types import Transcript
from asr.whole_files import NO_ROOM
from asr.wording import printable, reason
from asr.writers import FORMATS, NOTHING


class Outputs(Protocol):
    """Takes what comes of each job, in any order."""

    def put(self, job: Job, outcome: Transcript | AsrError) -> None:
        """The result of a job."""

    def put_begun(self, job: Job, transcript: Transcript) -> str:
        """What there is of a job that was stopped; returns where it lies, or nothing."""


class Printed:
    """On stdout, in the order of the jobs' numbers."""

    def __init__(
        self, jobs: Iterable[Job], format: str, with_filename: bool, meta: Mapping[str, Any] = NOTHING
    ):
        self.format, self.with_filename, self.meta = format, with_filename, meta
        self._order = iter([job.number for job in jobs])
        self._next = next(self._order, None)
        self._waiting: dict[int, str] = {}

    def put(self, job: Job, outcome: Transcript | AsrError) -> None:
        """Print it, once all before it are printed."""
        self._waiting[job.number] = self._text(job, outcome)
        while self._next in self._waiting:
            sys.stdout.write(self._waiting.pop(self._next))
            sys.stdout.flush()
            self._next = next(self._order, None)

    def put_begun(self, job: Job, transcript: Transcript) -> str:
        """Print it if it is its turn: what comes behind would be missing."""
        if job.number != self._next:
            return ""
        self.put(job, transcript)
        return "stdout"

    def _text(self, job: Job, outcome: Transcript | AsrError) -> str:
        """A recording that cannot be read has a line too, where every recording has one."""
        if isinstance(outcome, Transcript):
            text = FORMATS[self.format](job.name, outcome, self.meta)
        elif self.format == "json":
            text = json.dumps({"file": job.name, "error": str(outcome)}, ensure_ascii=False) + "\n"
        else:
            text = "\n" if self.format == "txt" else ""
        if self.with_filename and self.format == "txt":
            text = "".join(f"{printable(job.name)}\t{line}" for line in text.splitlines(keepends=True))
        return text


class Saved:
    """A file a format below a folder."""

    def __init__(
        self,
        folder: Path,
        formats: Sequence[str],
        meta: Mapping[str, Any] = NOTHING,
        *,
        overwrite: bool = False,
    ):
        self.folder, self.formats, self.meta, self.overwrite = folder, formats, meta, overwrite

    def prepare(self) -> None:
        """Make the folder, and try to write there: hours of work later is late to find that nobody can.

        Raises:
            OutputError: nothing can be written there.
        """
        with _told_if_full(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()

    def has(self, job: Job) -> bool:
        """Whether nothing is left to write of a job."""
        return not self._wanted(job)

    def put(self, job: Job, outcome: Transcript | AsrError) -> None:
        """Write what is wanted beside, then rename; of what failed nothing is written."""
        if isinstance(outcome, Transcript):
            for format in self._wanted(job):
                path = self._path(job, format)
                with _told_if_full(path):
                    os.replace(self._write_partial(job, format, outcome), path)

    def put_begun(self, job: Job, transcript: Transcript) -> str:
        """Leave it where a whole one is written: NAME.FORMAT.partial, which the next start replaces."""
        paths = [self._write_partial(job, format, transcript) for format in self._wanted(job)]
        return ", ".join(map(str, paths))

    def _wanted(self, job: Job) -> list[str]:
        """The formats to write: what is there may be somebody's own work."""
        return [one for one in self.formats if self.overwrite or not self._path(job, one).is_file()]

    def _path(self, job: Job, format: str) -> Path:
        return self.folder / f"{job.target}{FORMATS[format].suffix}"

    def _write_partial(self, job: Job, format: str, transcript: Transcript) -> Path:
        path = self._path(job, format)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        text = FORMATS[format](job.name, transcript, self.meta)
        try:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return partial


@contextlib.contextmanager
def _told_if_full(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        make_room = "make room or " if error.errno in NO_ROOM else ""
        raise OutputError(
            f"{path}: cannot be written ({reason(error)}); {make_room}choose another --output-dir, "
            "and the same command goes on where it stopped."
        ) from None
