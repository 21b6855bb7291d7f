"""A short name for each utterance of a set: the same wherever the corpus lies, and no other's."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from asr.manifest import Utterance


def utterance_ids(utterances: Sequence[Utterance]) -> list[str]:
    """The manifest's own ``id`` where every line has one; else made of file names, and of times for segments.

    Folders join a name where files of one name lie in several; what is there twice is numbered. White space and
    parentheses, which separate things in others' formats, become underscores.
    """
    own = [utterance.extra.get("id") for utterance in utterances]
    if all(isinstance(one, str | int) for one in own):
        return _numbered([_clean(str(one)) for one in own])
    paths = [_path(utterance) for utterance in utterances]
    names = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    if len(set(names)) < len(set(paths)):
        names = _below_what_they_share(paths)
    return _numbered([_clean(name + _times(one)) for name, one in zip(names, utterances, strict=True)])


def _path(utterance: Utterance) -> str:
    path = utterance.audio_filepath or utterance.features_filepath or "?"
    return path if utterance.member is None else f"{path}/{utterance.member.name}"


def _below_what_they_share(paths: Sequence[str]) -> list[str]:
    shared = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [Path(os.path.relpath(path, shared)).as_posix() for path in paths]


def _times(utterance: Utterance) -> str:
    """Milliseconds of beginning and end of a segment, as Kaldi's ids have hundredths."""
    if utterance.offset is None:
        return ""
    end = utterance.offset + utterance.duration
    return f"-{round(1000 * utterance.offset):07d}-{round(1000 * end):07d}"


def _clean(name: str) -> str:
    return "".join("_" if character.isspace() or character in "()" else character for character in name)


def _numbered(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return numbered
