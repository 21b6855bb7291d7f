"""A manifest from what lies on disk: recordings and texts side by side, tables, LibriSpeech, Kaldi and Lhotse data."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from asr import audio
from asr.corpus import tables, toolkits
from asr.corpus.items import Item, RecordingFinder, read_lines
from asr.errors import AsrError, AudioError, ManifestError
from asr.manifest import Utterance
from asr.shards import is_shards, read_shards
from asr.wording import counted, printable

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""


class Corpus(NamedTuple):
    """A layout that was recognised."""

    items: Iterable[Item]
    folders: Sequence[Path]
    """Where its recordings' paths may start."""


@dataclass(frozen=True)
class Built:
    """What a corpus gave: its good utterances, and one sentence for each bad item."""

    utterances: list[Utterance]
    problems: list[str]
    """Printable, whatever the names in them are."""


def no_progress(done: int, total: int) -> None:
    """The progress of a caller who does not look."""


def build(
    source: str | os.PathLike[str], *, speaker_from: str = "none", progress: Progress = no_progress
) -> Built:
    """Every utterance of a corpus with its duration, sorted by path and offset; bad items do not stop it.

    ``speaker_from`` names the speakers that the corpus does not state: ``none``, ``folder`` (the one that
    holds the recording), or a regular expression whose one group finds the speaker in its path below
    ``source``.

    Raises:
        ManifestError: the layout is not recognised, or ``speaker_from`` is not one of these.
    """
    if is_shards(source):
        return Built(read_shards(source), [])
    source = Path(source)
    name_speaker = _speaker_rule(speaker_from, source if source.is_dir() else source.parent)
    return collect(recognize(source), name_speaker, progress)


def collect(
    corpus: Corpus,
    name_speaker: Callable[[Path], str | None] = lambda path: None,
    progress: Progress = no_progress,
) -> Built:
    """Every utterance of a layout that is known, as ``build`` gives them."""
    finder = RecordingFinder(corpus.folders)
    items = list(corpus.items)
    paths = [finder.find(item.recording) if item.recording else None for item in items]
    durations = _durations({path for path in paths if path}, progress)
    utterances, problems = [], []
    for item, path in zip(items, paths, strict=True):
        try:
            utterances.append(_utterance(item, path, durations, name_speaker))
        except AsrError as error:
            problems.append(printable(str(error)))
    # A recording that cannot be read is named once, not once a segment.
    return Built(sorted(utterances, key=_place), list(dict.fromkeys(problems)))


def recognize(source: Path) -> Corpus:
    """The layout of a folder or file, by what is there.

    Raises:
        ManifestError: it is none that is known, or several at once.
    """
    if not source.exists():
        raise ManifestError(f"{source}: no such file or folder; name the corpus's folder or its table.")
    if source.is_file():
        return _recognize_file(source)
    if (source / "wav.scp").exists():
        # Kaldi's paths start where its scripts ran: some folder above the data directory.
        folders = [source, *list(source.resolve().parents)[:4]]
        return Corpus(toolkits.read_kaldi(source), folders)
    known = [path for path in sorted(source.iterdir()) if path.is_file() and _is_list(path)]
    if len(known) > 1:
        names = ", ".join(path.name for path in known)
        raise ManifestError(f"{source}: it holds several lists of utterances ({names}); name one of them.")
    if known:
        return _recognize_file(known[0])
    is_librispeech = any(toolkits.find_transcripts(source))
    return Corpus((toolkits.read_librispeech if is_librispeech else _texts_beside)(source), [Path()])


def _recognize_file(path: Path) -> Corpus:
    if path.suffix.lower() in tables.SUFFIXES:
        return Corpus(tables.read(path), [path.parent / name for name in tables.FOLDERS])
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return Corpus(toolkits.read_lhotse(path), [path.parent, *list(path.resolve().parent.parents)[:3]])
    raise ManifestError(
        f"{path}: no list of utterances; name a folder, a .csv or .tsv table, or a Lhotse .jsonl of cuts."
    )


def _is_list(path: Path) -> bool:
    if path.suffix.lower() in tables.SUFFIXES:
        return tables.recognize(path) is not None
    return "cuts" in path.name and path.name.endswith((".jsonl", ".jsonl.gz"))


def _texts_beside(folder: Path) -> Iterator[Item]:
    """Recordings at any depth, each with a ``.txt`` of the same stem."""
    recordings = audio.find(folder)
    if not recordings:
        raise ManifestError(
            f"{folder}: it holds no recording, table, wav.scp or cut set; name another folder."
        )
    if not any(path.with_suffix(".txt").exists() for path in recordings):
        raise ManifestError(
            f"{folder}: no text lies beside its {counted(len(recordings), 'recording')}; "
            f"write {recordings[0].stem}.txt and so on, or name the table that holds the texts."
        )
    return map(_text_beside, recordings)


def _text_beside(path: Path) -> Item:
    transcript = path.with_suffix(".txt")
    if not transcript.exists():
        problem = f"it has no text; write {transcript.name} beside it or remove it"
        return Item(str(path), str(path), None, problem=problem)
    try:
        return Item(str(path), str(path), " ".join(read_lines(transcript)))
    except ManifestError as error:
        return Item(str(path), str(path), None, problem=str(error).rstrip("."))


def _durations(paths: Iterable[Path], progress: Progress) -> dict[Path, float | AudioError]:
    """Seconds of each recording, or why it has none; threads, for the headers wait on the disk."""
    ordered = sorted(paths)
    durations: dict[Path, float | AudioError] = {}
    with ThreadPoolExecutor() as pool:
        for path, duration in zip(ordered, pool.map(_duration, ordered), strict=True):
            durations[path] = duration
            progress(len(durations), len(ordered))
    return durations


def _duration(path: Path) -> float | AudioError:
    try:
        return audio.duration(path) or AudioError(f"{path}: holds no audio; record it again or remove it.")
    except AudioError as error:
        return error


def _utterance(
    item: Item,
    path: Path | None,
    durations: Mapping[Path, float | AudioError],
    name_speaker: Callable[[Path], str | None],
) -> Utterance:
    if item.problem:
        raise ManifestError(f"{item.where}: {item.problem}.")
    if path is None:
        raise ManifestError(
            f"{item.where}: the recording {item.recording} is not there, with no audio extension; "
            "copy it or remove the entry."
        )
    _check_name(path)
    text = " ".join((item.text or "").split())
    if not text:
        raise ManifestError(f"{item.where}: the text is empty; write it or remove the entry.")
    duration = durations[path]
    if isinstance(duration, AudioError):
        raise duration
    return Utterance(
        audio_filepath=os.path.abspath(path),
        duration=_segment_duration(item, duration),
        text=text,
        offset=item.start,
        speaker=item.speaker or name_speaker(path),
    )


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ManifestError(
            f"{path}: its name, or its folder's, is not UTF-8, as a manifest is; rename it."
        ) from None


def _segment_duration(item: Item, recording: float) -> float:
    """Seconds of a segment; ends are often rounded up by a little, which is no error."""
    start = item.start or 0.0
    end = recording if item.end is None else item.end
    if not 0 <= start < end <= recording + 0.1:
        raise ManifestError(
            f"{item.where}: the segment from {start:g} to {end:g} s is not inside its recording, "
            f"which is {recording:.2f} s long; correct its times or remove it."
        )
    return min(end, recording) - start


def _place(utterance: Utterance) -> tuple[str, float, str]:
    return utterance.audio_filepath or "", utterance.start, utterance.text


def _speaker_rule(rule: str, root: Path) -> Callable[[Path], str | None]:
    if rule == "none":
        return lambda path: None
    if rule == "folder":
        return lambda path: path.parent.name or None
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise ManifestError(f"--speaker-from {rule}: not a regular expression ({error}).") from None
    if pattern.groups != 1:
        raise ManifestError(
            f"--speaker-from {rule}: needs exactly one group around the speaker, as in '^([^/]+)/'."
        )
    return lambda path: _speaker_in(path, root, pattern)


def _speaker_in(path: Path, root: Path, pattern: re.Pattern[str]) -> str:
    relative = Path(os.path.relpath(path, root)).as_posix()
    match = pattern.search(relative)
    if match is None or not match[1]:
        raise ManifestError(
            f"{path}: --speaker-from {pattern.pattern} finds no speaker in {relative}; change one of them."
        )
    return match[1]
