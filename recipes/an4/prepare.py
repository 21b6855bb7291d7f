"""Manifests of CMU's AN4 ("census": spelled names, numbers, dates) from its published Sphinx cepstra.

    python recipes/an4/prepare.py --corpus-dir an4 --output-dir data/an4

The classic split: 948 utterances train, 130 test. Choices are made on seven named speakers of the training part.
"""

import re
import sys
from pathlib import Path

from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.recipe import locate, prepare_only, prepare_options, write_sets

DEV_SPEAKERS = ("fkdo", "ftmj", "mcen", "mjda", "mmkw", "mrjc2", "mtje")
NUM_UTTERANCES = {"train": 948, "test": 130}
NUM_COEFFICIENTS = 13
FRAME_SECONDS = 0.01

_LINE = re.compile(r"(?:<s>\s*)?(?P<text>.*?)\s*(?:</s>\s*)?\((?P<name>[^()]+)\)\s*")
_HOME = "http://www.speech.cs.cmu.edu/databases/an4"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev, test and train-all (train and dev together), and the text of train-all.

    Raises:
        ManifestError: the folder is missing or incomplete, or a list and its transcripts disagree.
    """
    root = locate(Path(corpus_dir), "etc/", "feat/", home=_HOME)
    train_all, test = (_read(root, name) for name in ("train", "test"))
    dev = [utterance for utterance in train_all if utterance.speaker in DEV_SPEAKERS]
    train = [utterance for utterance in train_all if utterance.speaker not in DEV_SPEAKERS]
    sets = {"train": train, "dev": dev, "test": test, "train-all": train_all}
    return write_sets(output_dir, sets, texts=("train", "train-all"))


def _read(root: Path, name: str) -> list[Utterance]:
    listed = _lines(root / "etc" / f"an4_{name}.fileids")
    transcribed = _lines(root / "etc" / f"an4_{name}.transcription")
    if not len(listed) == len(transcribed) == NUM_UTTERANCES[name]:
        raise ManifestError(
            f"{root / 'etc'}: an4_{name} lists {len(listed)} utterances and {len(transcribed)} transcripts, "
            f"not {NUM_UTTERANCES[name]}; get AN4 from {_HOME} again."
        )
    return [_utterance(root, file_id, line) for file_id, line in zip(listed, transcribed, strict=True)]


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise ManifestError(f"{path}: no such file; get AN4 from {_HOME} and unpack it.")
    return path.read_text(encoding="ascii").split("\n")[:-1]


def _utterance(root: Path, file_id: str, line: str) -> Utterance:
    _, speaker, name = file_id.rsplit("/", 2)
    match = _LINE.fullmatch(line)
    if match is None or match["name"] != name:
        raise ManifestError(f"{root / 'etc'}: the transcript {line!r} does not belong to {file_id}.")
    features = root / "feat" / f"{file_id}.mfc"
    if not features.is_file():
        raise ManifestError(f"{features}: no such file; get AN4 from {_HOME} and unpack it.")
    num_frames = (features.stat().st_size - 4) // (4 * NUM_COEFFICIENTS)
    return Utterance(
        None,
        round(num_frames * FRAME_SECONDS, 2),
        match["text"].lower(),
        speaker=speaker,
        features_filepath=str(features),
    )


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options("Manifests of CMU's AN4.", "an4", "the folder of etc/ and feat/").parse_args()
    return prepare_only(options, "an4", prepare)


if __name__ == "__main__":
    sys.exit(main())
