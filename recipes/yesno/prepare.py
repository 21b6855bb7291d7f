"""Manifests of OpenSLR 1: "yes" (ken) and "no" (lo) in Hebrew, eight words a file, one speaker, 60 files.

    python recipes/yesno/prepare.py --output-dir data/yesno
    python recipes/yesno/prepare.py --corpus-dir waves_yesno --output-dir data/yesno

Split as lhotse and icefall do, so that results compare: of the sorted names, even positions train, odd ones
test.
"""

import re
import sys
from pathlib import Path

from asr import audio
from asr.download import Archive
from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.recipe import prepare_only, prepare_options, write_sets

WORDS = {"0": "lo", "1": "ken"}
SPEAKER = "yesno"
NUM_FILES = 60
ARCHIVES = (
    Archive(
        "waves_yesno",
        "https://www.openslr.org/resources/1/waves_yesno.tar.gz",
        "sha256:c3f49e0cca421f96b75b41640749167b52118f232498667ca7a5f9416aef8e73",
    ),
)
DEV_EVERY = 5

_NAME = re.compile(r"[01](_[01]){7}")
_HOME = "https://www.openslr.org/1"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train (24), dev (6), test (30) and train-all (30: train and dev together).

    Raises:
        ManifestError: the folder is missing, or does not hold the 60 recordings.
    """
    utterances = [_utterance(path) for path in find_recordings(corpus_dir)]
    train_all, test = utterances[::2], utterances[1::2]
    dev = train_all[DEV_EVERY - 1 :: DEV_EVERY]
    train = [utterance for utterance in train_all if utterance not in dev]
    return write_sets(output_dir, {"train": train, "dev": dev, "test": test, "train-all": train_all})


def find_recordings(corpus_dir: Path) -> list[Path]:
    """The 60 recordings sorted by name, whatever format the audio is in.

    Raises:
        ManifestError: the folder is missing, or holds another number: the split by position would shift.
    """
    corpus_dir = Path(corpus_dir)
    folder = corpus_dir / "waves_yesno" if (corpus_dir / "waves_yesno").is_dir() else corpus_dir
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such folder; get waves_yesno.tar.gz from {_HOME} and unpack it.")
    paths = [path for path in audio.find(folder) if _NAME.fullmatch(path.stem)]
    if len(paths) != NUM_FILES or len({path.stem for path in paths}) != NUM_FILES:
        raise ManifestError(
            f"{folder}: {len(paths)} recordings have names like 0_1_0_0_1_1_0_1, not {NUM_FILES} different "
            f"ones; get waves_yesno.tar.gz from {_HOME} and unpack it."
        )
    return sorted(paths, key=lambda path: path.stem)


def _utterance(path: Path) -> Utterance:
    text = " ".join(WORDS[bit] for bit in path.stem.split("_"))
    return Utterance(str(path), audio.duration(path), text, speaker=SPEAKER)


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options(
        "Manifests of the Hebrew yes/no corpus, OpenSLR 1.", "yesno", "the folder of the recordings", ARCHIVES
    ).parse_args()
    return prepare_only(options, "yesno", prepare)


if __name__ == "__main__":
    sys.exit(main())
