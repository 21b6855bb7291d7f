"""Manifests of TED-LIUM 3 (OpenSLR 51): 452 hours of talks, cut into segments by their stm files; 16 kHz SPHERE.

    python recipes/tedlium/prepare.py --output-dir data/tedlium
    python recipes/tedlium/prepare.py --corpus-dir TEDLIUM_release-3 --output-dir data/tedlium

The "legacy" split, which published results are of: data/ trains, legacy/dev chooses, legacy/test tests. Segments that
the stm files take out of scoring are left out; so are training segments with <unk>, a word nobody wrote down.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asr.corpus.items import Item, read_lines
from asr.download import Archive
from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.recipe import gather, locate, prepare_only, prepare_options, write_sets

FOLDERS = {"train": "data", "dev": "legacy/dev", "test": "legacy/test"}
IGNORED = "ignore_time_segment_in_scoring"
UNKNOWN = "<unk>"
ARCHIVES = (
    Archive(
        "tedlium",
        "https://www.openslr.org/resources/51/TEDLIUM_release-3.tgz",
        "sha256:ad1e454d14d1ad550bc2564c462d87c7a7ec83d4dc2b9210f22ab4973b9eccdb",
    ),
)

_HOME = "https://www.openslr.org/51"
# <unk>, {NOISE}, and the (2) of a second pronunciation.
_MARKS = re.compile(r"<[^>]*>|\{[^}]*\}|\(\d+\)")


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test; stderr says what is left out of each.

    Raises:
        ManifestError: a folder is missing, a line of an stm file is malformed, or a set has no segment.
    """
    root = locate(Path(corpus_dir), *(f"{folder}/stm/" for folder in FOLDERS.values()), home=_HOME)
    return write_sets(output_dir, {name: _set(name, root / folder) for name, folder in FOLDERS.items()})


def _set(name: str, folder: Path) -> list[Utterance]:
    unwanted = (IGNORED, UNKNOWN) if name == "train" else (IGNORED,)
    kept, left_out = [], Counter[str]()
    for item in _segments(folder / "stm"):
        reasons = [mark for mark in unwanted if mark in item.text.split()]
        left_out.update(reasons[:1])
        if not reasons:
            kept.append(replace(item, text=_words(item.text)))
    for mark, count in left_out.items():
        print(f"{name}: {count} segments with {mark} are left out", file=sys.stderr)
    return gather(kept, [folder / "sph"])


def _segments(folder: Path) -> Iterator[Item]:
    """Lines of: talk, channel, speaker, start, end, label, text; those that begin with ;; say nothing."""
    for path in sorted(folder.glob("*.stm")):
        for number, line in enumerate(read_lines(path), 1):
            if line.strip() and not line.startswith(";;"):
                yield _segment(line, f"{path}:{number}")


def _segment(line: str, where: str) -> Item:
    try:
        talk, _, speaker, start, end, _, text = line.split(maxsplit=6)
        return Item(where, f"{talk}.sph", text, speaker, float(start), float(end))
    except ValueError:
        raise ManifestError(
            f"{where}: not a talk, channel, speaker, two times, label and text; get the corpus from {_HOME} again."
        ) from None


def _words(text: str) -> str:
    """Without marks; "it 's" is one word."""
    return " ".join(_MARKS.sub(" ", text).split()).replace(" '", "'")


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options(
        "Manifests of TED-LIUM 3.", "tedlium", "the folder of data/ and legacy/", ARCHIVES
    ).parse_args()
    return prepare_only(options, "tedlium", prepare)


if __name__ == "__main__":
    sys.exit(main())
