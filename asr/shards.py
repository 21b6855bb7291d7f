"""Corpora in tar files, for disks that a million small files would choke: WebDataset's layout.

    train-000.tar: a.flac a.txt b.flac b.txt ...      or a.json with "text", and "duration" and "speaker" if you like

Nothing is unpacked: a pass over the tar's headers says where each recording lies, and reading takes its bytes from
there, in any order and by any number of processes. ``asr data build`` writes what this pass found into a manifest.
"""

import glob
import json
import os
import re
import reprlib
import sys
import tarfile
from collections import defaultdict
from typing import Any

from asr import audio
from asr.errors import AudioError, ManifestError
from asr.manifest import Member, Utterance, read_manifest

_LARGEST_TEXT = 1 << 24
"""Bytes of a text, or of what is said of an utterance."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def read_utterances(source: str) -> list[Utterance]:
    """Every utterance of a manifest, or of tar files as ``read_shards`` takes them.

    Raises:
        ManifestError, AudioError: one of them cannot be used.
    """
    return read_shards(source) if is_shards(source) else read_manifest(source)


def is_shards(source: str | os.PathLike[str]) -> bool:
    """Whether a name is one of tar files."""
    return os.fspath(source).endswith(".tar")


def read_shards(pattern: str | os.PathLike[str]) -> list[Utterance]:
    """Every utterance of ``train-{000..012}.tar`` or ``train-*.tar``, in the order of the files and inside them.

    Durations that no .json states are taken from the recordings' headers.

    Raises:
        ManifestError: a file is missing, no tar or compressed, or a recording has no text or a text no recording.
        AudioError: the duration of a recording cannot be read.
    """
    utterances = [utterance for path in _expand(os.fspath(pattern)) for utterance in _read(path)]
    if not utterances:
        raise ManifestError(f"{pattern}: holds no recording with its text.")
    return utterances


def _expand(pattern: str) -> list[str]:
    """Braces first. Example: a-{08..10}.tar -> a-08.tar, a-09.tar, a-10.tar."""
    if found := _RANGE.search(pattern):
        first, last = found[1], found[2]
        numbers = [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
        return [path for number in numbers for path in _expand(pattern.replace(found[0], number, 1))]
    paths = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern))
    if not paths:
        raise ManifestError(f"{pattern}: no such tar file.")
    return [os.path.abspath(path) for path in paths]


def _read(path: str) -> list[Utterance]:
    try:
        with tarfile.open(path, "r:") as tar:
            samples: dict[str, dict[str, tarfile.TarInfo]] = defaultdict(dict)
            for member in tar:
                folder, name = os.path.split(member.name)
                key, dot, extension = name.partition(".")
                if member.isfile() and key and dot:
                    samples[os.path.join(folder, key)][extension.lower()] = member
            return [_utterance(tar, path, key, parts) for key, parts in samples.items()]
    except (OSError, tarfile.TarError, ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: not a plain, whole tar file with UTF-8 texts ({error}).") from None


def _utterance(tar: tarfile.TarFile, path: str, key: str, parts: dict[str, tarfile.TarInfo]) -> Utterance:
    stated: dict[str, Any] = json.loads(_bytes(tar, parts["json"])) if "json" in parts else {}
    if not isinstance(stated, dict):
        raise ValueError(f"{key}.json is no JSON object")
    if "txt" in parts:
        stated = {"text": _bytes(tar, parts["txt"]).decode("utf-8-sig").strip(), **stated}
    recordings = [part for name, part in parts.items() if f".{name.rpartition('.')[2]}" in audio.SUFFIXES]
    if len(recordings) != 1 or not isinstance(stated.get("text"), str):
        names = ", ".join(sorted(part.name for part in parts.values()))
        raise ManifestError(
            f"{path}: {key} needs one recording and one text ({key}.txt, or {key}.json with text); it has {names}."
        )
    recording = recordings[0]
    return Utterance(
        audio_filepath=path,
        duration=_seconds(stated["duration"]) if "duration" in stated else _duration(tar, path, recording),
        text=stated["text"],
        speaker=stated.get("speaker"),
        member=Member(recording.name, recording.offset_data, recording.size),
    )


def _seconds(stated: Any) -> float:
    if not isinstance(stated, int | float) or not 0 <= stated <= sys.float_info.max:
        raise ValueError(f"a duration of {reprlib.repr(stated)} is no number of seconds")
    return float(stated)


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > _LARGEST_TEXT:  # a sparse member may state more than any memory holds
        raise ValueError(f"{member.size} bytes are too many for the text {member.name}")
    file = tar.extractfile(member)
    return file.read() if file else b""


def _duration(tar: tarfile.TarFile, path: str, member: tarfile.TarInfo) -> float:
    file = tar.extractfile(member)
    assert file is not None  # it is a file
    try:
        return audio.duration(file)
    except AudioError as error:
        raise AudioError(f"{path}/{member.name}: {str(error).partition(': ')[2]}") from None
