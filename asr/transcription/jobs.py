"""What there is to transcribe: one job a recording, each with a name of its own for what is written of it."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from asr import audio
from asr.errors import AudioError
from asr.manifest import Utterance, read_manifest

STDIN = "-"
LOOKAHEAD = 4
"""Batches' worth of jobs that are sorted by length together."""
LONGEST_BATCH = 240.0
"""Seconds of audio; what is longer is a batch by itself, so that what is done is written soon."""


@dataclass(frozen=True)
class Job:
    """One recording, or one segment of it."""

    number: int
    """Its place in the order of the inputs."""
    source: str | Utterance
    """A path, ``-`` for standard input, or a manifest's line."""
    target: str
    """Path below the output folder, without the format; no two jobs have the same."""

    @property
    def name(self) -> str:
        """What the outputs call it."""
        return self.source.name if isinstance(self.source, Utterance) else self.source

    @property
    def seconds(self) -> float:
        """Of audio, where its header or its line says so; else as if its bytes were 16-bit audio of 16 kHz."""
        if isinstance(self.source, Utterance):
            return self.source.duration
        with contextlib.suppress(AudioError):
            # Not of a pipe, which can be read once only.
            if os.path.isfile(self.source) and (stated := audio.stated_duration(self.source)) is not None:
                return stated
        with contextlib.suppress(OSError):
            return os.stat(self.source).st_size / 32_000
        return 0.0

    def open(self) -> audio.Source | Utterance:
        """What a recognizer takes; standard input is read now."""
        if self.source == STDIN:
            return audio.from_bytes(sys.stdin.buffer.read(), "standard input")
        return self.source


def find_jobs(inputs: Sequence[str], *, recursive: bool = False) -> list[Job]:
    """The recordings of files, folders, manifests (``.jsonl``) and ``-``, in the order given, folders sorted by path.

    Of a file in a folder the target keeps the path below that folder.

    Raises:
        ManifestError: a manifest cannot be read.
    """
    used: set[str] = set()
    return [
        Job(number, source, free_target(target, used))
        for number, (source, target) in enumerate(pair for name in inputs for pair in _found(name, recursive))
    ]


def shard(jobs: Sequence[Job], index: int, count: int) -> list[Job]:
    """The ``index``-th of ``count`` parts (from 1) that together are all; any machine finds the same ones."""
    return list(jobs[index - 1 :: count])


def batches(jobs: Iterable[Job], batch_size: int) -> Iterator[list[Job]]:
    """Batches of recordings of like length, for the shorter ones are padded; not far out of order."""
    remaining = iter(jobs)
    while near := list(islice(remaining, LOOKAHEAD * batch_size)):
        lengths = {job.number: job.seconds for job in near}
        batch: list[Job] = []
        for job in sorted(near, key=lambda job: (lengths[job.number], job.number)):
            full = sum(lengths[one.number] for one in [*batch, job]) > LONGEST_BATCH
            if batch and (full or len(batch) == batch_size):
                yield batch
                batch = []
            batch.append(job)
        yield batch


def _found(name: str, recursive: bool) -> Iterator[tuple[str | Utterance, Path]]:
    """Each source of an input, and the path of its outputs."""
    if name == STDIN:
        yield name, Path("stdin")
    elif os.path.isdir(name):
        paths = audio.find(name, recursive=recursive)
        yield from ((str(path), path.relative_to(name)) for path in paths)
        if not paths:  # a job that fails, so that the other inputs are not lost for it
            yield name, Path(os.path.basename(os.path.abspath(name)))
    elif name.endswith(".jsonl"):
        for utterance in read_manifest(name):
            yield utterance, target_of(utterance)
    else:
        yield name, target_of(name)


def target_of(source: str | Utterance) -> Path:
    """The path that the outputs of a recording are called by: its name, of a segment with its start."""
    if isinstance(source, str):
        return Path(Path(source).name)
    path = Path(source.member[0] if source.member else source.audio_filepath or source.name.split("@")[0])
    start = "" if source.offset is None else f"@{source.offset:g}s"
    return Path(f"{path.stem}{start}{path.suffix}")


def free_target(path: Path, used: set[str]) -> str:
    """Without its format; a.wav and a.flac must not write one a.txt: the second keeps it, further ones get a number."""
    stem = str(path.with_suffix("")) if path.suffix.lower() in audio.SUFFIXES else str(path)
    candidate, number = stem, 1
    while candidate in used:
        candidate = str(path) if number == 1 else f"{stem}-{number}"
        number += 1
    used.add(candidate)
    return candidate
