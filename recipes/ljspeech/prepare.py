"""Manifests of LJ Speech 1.1: one woman reads from seven books, 24 hours, 22 kHz.

    python recipes/ljspeech/prepare.py --output-dir data/ljspeech
    python recipes/ljspeech/prepare.py --corpus-dir LJSpeech-1.1 --output-dir data/ljspeech

There is no official split. Here it goes by chapter: of the chapters that are there, the last tests, the one before it
chooses, the others train. Texts are the normalised ones, in which numbers are written out.
"""

import sys
from dataclasses import replace
from pathlib import Path

from asr.corpus import tables
from asr.download import Archive
from asr.manifest import Utterance
from asr.recipe import gather, locate, prepare_only, prepare_options, write_sets

SPEAKER = "LJ"
ARCHIVES = (
    Archive(
        "ljspeech",
        "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
        "sha256:be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
    ),
)

_HOME = "https://keithito.com/LJ-Speech-Dataset"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test.

    Raises:
        ManifestError: metadata.csv is missing, or there are fewer than three chapters.
    """
    root = locate(Path(corpus_dir), "metadata.csv", home=_HOME)
    items = (replace(item, speaker=SPEAKER) for item in tables.read(root / "metadata.csv"))
    utterances = gather(items, [root / "wavs"])
    chapters = sorted({_chapter(utterance) for utterance in utterances})
    set_of = dict(zip(chapters[-2:], ("dev", "test"), strict=False))
    sets: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for utterance in utterances:
        sets[set_of.get(_chapter(utterance), "train")].append(utterance)
    return write_sets(output_dir, sets)


def _chapter(utterance: Utterance) -> str:
    """LJ050 of LJ050-0012."""
    return Path(utterance.name).stem.partition("-")[0]


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options(
        "Manifests of LJ Speech.", "ljspeech", "the folder of metadata.csv", ARCHIVES
    ).parse_args()
    return prepare_only(options, "ljspeech", prepare)


if __name__ == "__main__":
    sys.exit(main())
