"""Reference and hypothesis as two text files, whoever wrote them: Kaldi's text, sclite's trn, a table, plain lines."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from asr.errors import ManifestError
from asr.evaluation.scored import Evaluation, Setup, score
from asr.manifest import Utterance, read_manifest
from asr.text import TextSettings, normalize

Format = Literal["auto", "kaldi", "trn", "tsv", "lines"]
NAMED = 5
"""Utterances that a message names; of the others it says how many they are."""
_TRN = re.compile(r"(.*)\(([^()\s]+)\)\s*")


def evaluate_texts(
    references: Path,
    hypotheses: Path,
    *,
    format: Format = "auto",
    setup: Setup = Setup(),
    text: TextSettings | None = None,
    speakers: Mapping[str, str] = MappingProxyType({}),
) -> Evaluation:
    """Score the lines of one file against those of another, both normalised by ``text`` where it is given.

    Raises:
        ManifestError: a file cannot be read, or the two do not hold the same utterances; some are named.
    """
    said, heard = pair_up(references, hypotheses, format)
    scored = [
        score(
            Utterance(None, 0.0, said[name], speaker=speakers.get(name), extra={"id": name}),
            _written(said[name], text),
            _written(heard[name], text),
            weights=setup.weights,
        )
        for name in said
    ]
    return Evaluation(tuple(scored), 0.0, setup)


def pair_up(
    references: Path, hypotheses: Path, format: Format = "auto"
) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of both files by id; lines without ids get their numbers.

    Raises:
        ManifestError: as ``evaluate_texts``.
    """
    files = (references, hypotheses)
    lines = [_lines(path) for path in files]
    formats = [detect(one) if format == "auto" else format for one in lines]
    if ("lines" in formats) and formats[0] != formats[1]:
        found = " but ".join(f"{path} as {kind}" for path, kind in zip(files, formats, strict=True))
        raise ManifestError(f"Read {found}: only one of them has ids; --format says what both are.")
    said, heard = (_parse(*one) for one in zip(lines, formats, files, strict=True))
    _check_same(said, heard, files, formats[0])
    return said, heard


def detect(lines: Sequence[str]) -> Format:
    """What lines look like: ids in parentheses behind, a tab, or first words with digits that never repeat."""
    full = [line for line in lines if line.strip() and not line.startswith(";;")]
    if full and all(_TRN.fullmatch(line) for line in full):
        return "trn"
    if full and all("\t" in line for line in full):
        return "tsv"
    first = [line.split()[0] for line in full]
    is_id = all(any(character.isdigit() for character in word) for word in first)
    return "kaldi" if first and is_id and len(set(first)) == len(first) else "lines"


def read_speakers(path: Path) -> dict[str, str]:
    """Kaldi's utt2spk: an id and its speaker a line.

    Raises:
        ManifestError: it cannot be read, or an id stands twice.
    """
    return {name: speaker.strip() for name, speaker in _parse(_lines(path), "kaldi", path).items()}


def count_words(path: Path, text: TextSettings | None = None) -> Counter[str]:
    """How often each word stands in a training text (plain or .gz), or in the texts of a manifest (.jsonl).

    Raises:
        ManifestError: it cannot be read.
    """
    is_manifest = path.suffix == ".jsonl"
    lines = [one.text for one in read_manifest(path, needs_audio=False)] if is_manifest else _lines(path)
    return Counter(word for line in lines for word in _written(line, text).split())


def _written(line: str, text: TextSettings | None) -> str:
    return " ".join(line.split()) if text is None else normalize(line, text)


def _lines(path: Path) -> list[str]:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        # Not splitlines: a text may hold U+2028 and the like.
        return data.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as UTF-8 text ({error}).") from None


def _parse(lines: Sequence[str], format: Format, path: Path) -> dict[str, str]:
    if format == "lines":
        return {str(number): line for number, line in enumerate(lines, 1)}
    texts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(";;"):
            continue
        name, text = _split(line, format, f"{path}:{number}")
        if name in texts:
            raise ManifestError(f"{path}:{number}: the utterance {name} stands there twice; remove one.")
        texts[name] = text
    return texts


def _split(line: str, format: Format, where: str) -> tuple[str, str]:
    """The id and the text."""
    match format:
        case "trn":
            found = _TRN.fullmatch(line)
            if found is None:
                raise ManifestError(f"{where}: no (id) at the end of the line; is it sclite's trn?")
            return found[2], found[1]
        case "tsv":
            name, tab, text = line.partition("\t")
            if not tab:
                raise ManifestError(f"{where}: no tab behind the id; is it a table?")
            return name.strip(), text
    name, *rest = line.split(maxsplit=1)
    return name, rest[0] if rest else ""


def _check_same(
    said: Mapping[str, str], heard: Mapping[str, str], files: Sequence[Path], format: Format
) -> None:
    if format == "lines" and len(said) != len(heard):
        counts = f"{len(said)} lines and {files[1]} has {len(heard)}"
        raise ManifestError(f"{files[0]} has {counts}: lines without ids must pair up; put ids before them.")
    missing = [*_missing(said, heard, files[1]), *_missing(heard, said, files[0])]
    if missing:
        raise ManifestError(f"{'; '.join(missing)}: every utterance needs a line in both, an empty one too.")


def _missing(names: Mapping[str, str], there: Mapping[str, str], path: Path) -> Iterator[str]:
    lacking = [name for name in names if name not in there]
    if lacking:
        yield f"{path} lacks {name_some(lacking)}"


def name_some(names: Sequence[str]) -> str:
    """The first names, and how many there are besides."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
