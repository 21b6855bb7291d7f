"""Corpora with files of their own for texts: LibriSpeech, Kaldi data directories, Lhotse cut sets."""

import gzip
import reprlib
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asr.corpus.items import Item, read_lines
from asr.errors import ManifestError
from asr.folders import files_in
from asr.manifest import parse_object


def find_transcripts(folder: Path) -> Iterator[Path]:
    """LibriSpeech's, at any depth: of a chapter each."""
    return (path for path in files_in(folder, {".txt"}) if path.name.endswith(".trans.txt"))


def read_librispeech(folder: Path) -> Iterator[Item]:
    """Every line of every chapter's transcripts, at any depth; who speaks stands before the first hyphen.

    Raises:
        ManifestError: a transcript cannot be read.
    """
    for path in sorted(find_transcripts(folder)):
        for number, line in enumerate(read_lines(path), 1):
            name, _, text = line.strip().partition(" ")
            if name:
                recording = str(path.parent / name)
                yield Item(f"{path}:{number}", recording, text, speaker=name.split("-")[0])


def read_kaldi(folder: Path) -> Iterator[Item]:
    """The utterances of ``wav.scp``, ``text`` and, where they exist, ``segments`` and ``utt2spk``.

    Raises:
        ManifestError: a file is missing or one of its lines is malformed.
    """
    recordings, texts = _kaldi_table(folder / "wav.scp"), _kaldi_table(folder / "text")
    speakers = _kaldi_table(folder / "utt2spk") if (folder / "utt2spk").exists() else {}
    cut = (folder / "segments").exists()
    segments = _kaldi_segments(folder / "segments") if cut else {key: (key, None, None) for key in recordings}
    for key, (recording, start, end) in segments.items():
        path = recordings.get(recording)
        yield Item(
            where=f"{folder}: utterance {key}",
            recording=path,
            text=texts.get(key),
            speaker=speakers.get(key),
            start=start,
            end=end,
            problem=_kaldi_problem(path, recording, texts.get(key)),
        )
    for key in sorted(texts.keys() - segments.keys()):
        listed = "segments" if cut else "wav.scp"
        problem = f"it has a text but no line in {listed}; add one or remove the text"
        yield Item(f"{folder}: utterance {key}", None, None, problem=problem)


def _kaldi_table(path: Path) -> dict[str, str]:
    """Lines of ``key value``; Kaldi's own files separate them by spaces or tabs."""
    pairs = (line.split(maxsplit=1) for line in read_lines(path) if line.strip())
    return {pair[0]: pair[1].strip() if len(pair) == 2 else "" for pair in pairs}


def _kaldi_segments(path: Path) -> dict[str, tuple[str, float, float | None]]:
    segments: dict[str, tuple[str, float, float | None]] = {}
    for key, value in _kaldi_table(path).items():
        try:
            recording, start, end = value.split()
            # An end of -1 is the end of the recording.
            segments[key] = (recording, float(start), float(end) if float(end) >= 0 else None)
        except ValueError:
            raise ManifestError(
                f"{path}: utterance {key}: not a recording and two times in seconds; correct the line."
            ) from None
    return segments


def _kaldi_problem(path: str | None, recording: str, text: str | None) -> str:
    if path is None:
        return f"wav.scp has no recording {recording}; add it or remove the utterance"
    if path.endswith("|"):
        return f"wav.scp pipes it through {path!r}; run that once into a wav file and name the file"
    if path.rpartition(":")[2].isdigit():
        return f"wav.scp points into an archive, {path}; write it out with `wav-copy scp:wav.scp ...` first"
    return "" if text is not None else "it has no line in text; add one or remove the utterance"


def read_lhotse(path: Path) -> Iterator[Item]:
    """Every supervision of every MonoCut, as a segment of its recording.

    Raises:
        ManifestError: the file is not JSON lines, or is a manifest already.
    """
    for number, line in enumerate(_json_lines(path), 1):
        if not line.strip():
            continue
        cut = parse_object(line, f"{path}:{number}", "cut")
        if "audio_filepath" in cut:
            raise ManifestError(f"{path}: a manifest already; train on it as it is.")
        yield from _supervisions(cut, f"{path}:{number}")


def _json_lines(path: Path) -> list[str]:
    if path.suffix != ".gz":
        return read_lines(path)
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.read().split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as gzip ({error}); write it again.") from None


def _supervisions(cut: Mapping[str, Any], where: str) -> Iterator[Item]:
    try:
        problem = _cut_problem(cut)
        if problem:
            yield Item(where, None, None, problem=problem)
            return
        for supervision in cut["supervisions"]:
            yield _supervised(cut, supervision, where)
    except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
        problem = f"not a Lhotse cut ({error!r}); write it with CutSet.to_file"
        yield Item(where, None, None, problem=problem)


def _cut_problem(cut: Mapping[str, Any]) -> str:
    recording = cut.get("recording")
    if recording is None or recording.get("transforms"):
        return "its audio exists only inside Lhotse; write it out with `CutSet.save_audios` first"
    if recording["sources"][0]["type"] != "file":
        return "its recording is not a file; write it out with `CutSet.save_audios` first"
    return "" if cut["supervisions"] else "it has no supervision, hence no text; add one or remove the cut"


def _supervised(cut: Mapping[str, Any], supervision: Mapping[str, Any], where: str) -> Item:
    recording = cut["recording"]
    start = max(0.0, round(cut["start"] + supervision["start"], 6))
    end = round(cut["start"] + supervision["start"] + supervision["duration"], 6)
    whole = start == 0 and abs(end - recording["duration"]) < 0.01
    return Item(
        where=where,
        recording=_string(recording["sources"][0]["source"]),
        text=_string(supervision.get("text")),
        speaker=_string(supervision.get("speaker")),
        start=None if whole else start,
        end=None if whole else end,
    )


def _string(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{reprlib.repr(value)} is no text")
    value.encode()  # JSON can hold halves of characters, a manifest cannot
    return value
