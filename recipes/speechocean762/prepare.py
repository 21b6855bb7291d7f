"""Manifests of speechocean762 (OpenSLR 101): English read by 250 Mandarin speakers, half of them children.

    python recipes/speechocean762/prepare.py
    python recipes/speechocean762/prepare.py --corpus-dir speechocean762 --output-dir data/speechocean762

The official halves of 125 speakers train and test; choices are made on fourteen named speakers of the training half.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from asr import audio
from asr.corpus.items import RecordingFinder
from asr.corpus.toolkits import read_kaldi
from asr.download import Archive
from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.recipe import locate, prepare_only, prepare_options, write_sets

DEV_CHILDREN = ("0048", "0070", "1197", "3046", "3423", "6010", "8585")
DEV_ADULTS = ("0594", "0960", "1309", "2061", "2380", "9611", "9624")
OLDEST_CHILD = 15
"""Years; nobody in the corpus is sixteen to eighteen."""

CORPUS = "the folder of train/, test/ and WAVE/"
ARCHIVES = (Archive("speechocean762", "https://www.openslr.org/resources/101/speechocean762.tar.gz"),)

_HOME = "https://www.openslr.org/101"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev, test, test's children and adults, and the texts of train, one a line.

    Each line of a manifest also has the speaker's ``age`` and ``gender``.

    Raises:
        ManifestError: the folder is missing or incomplete.
    """
    root = locate(Path(corpus_dir), "train", "test", home=_HOME)
    half, test = (list(_utterances(root, name)) for name in ("train", "test"))
    held_out = DEV_CHILDREN + DEV_ADULTS
    sets = {
        "train": [utterance for utterance in half if utterance.speaker not in held_out],
        "dev": [utterance for utterance in half if utterance.speaker in held_out],
        "test": test,
        "test-children": [utterance for utterance in test if utterance.extra["age"] <= OLDEST_CHILD],
        "test-adults": [utterance for utterance in test if utterance.extra["age"] > OLDEST_CHILD],
    }
    return write_sets(output_dir, sets, texts=("train",))


def _utterances(corpus_dir: Path, half: str) -> Iterator[Utterance]:
    """The lines of a Kaldi directory; recordings may have any extension, whatever wav.scp says."""
    folder = corpus_dir / half
    ages, genders = (_table(folder / name) for name in ("spk2age", "spk2gender"))
    finder = RecordingFinder([corpus_dir])
    for item in read_kaldi(folder):
        path = finder.find(item.recording) if item.recording else None
        if path is None or item.text is None or item.speaker is None:
            problem = item.problem or f"{item.recording} is missing"
            raise ManifestError(f"{item.where}: {problem}; get speechocean762 from {_HOME} again.")
        about = {"age": int(ages[item.speaker]), "gender": genders[item.speaker]}
        yield Utterance(str(path), audio.duration(path), item.text.lower(), speaker=item.speaker, extra=about)


def _table(path: Path) -> dict[str, str]:
    try:
        return dict(line.split() for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: no table of speakers ({error}); get the corpus from {_HOME}.") from None


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    parser = prepare_options("Manifests of speechocean762.", "speechocean762", CORPUS, ARCHIVES)
    return prepare_only(parser.parse_args(), "speechocean762", prepare)


if __name__ == "__main__":
    sys.exit(main())
