"""Manifests of CMU's AN4 ("census": spelled names, numbers, dates) from its published Sphinx cepstra.

    python recipes/an4/prepare.py --corpus-dir an4 --output-dir data/an4

The classic split: 948 utterances train, 130 test. Choices are made on seven named speakers of the training part.
"""

import re
import sys
from pathlib import Path

from asr.errors import ManifestError
from asr.manifest import Utterance, write_manifest
from asr.recipe import attempt, prepare_options, print_sets

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
    root = _root(Path(corpus_dir))
    train_all, test = (_read(root, name) for name in ("train", "test"))
    dev = [utterance for utterance in train_all if utterance.speaker in DEV_SPEAKERS]
    train = [utterance for utterance in train_all if utterance.speaker not in DEV_SPEAKERS]
    sets = {"train": train, "dev": dev, "test": test, "train-all": train_all}
    paths = {name: Path(output_dir) / f"{name}.jsonl" for name in sets}
    for name, members in sets.items():
        write_manifest(paths[name], members)
    for name in ("train", "train-all"):
        text = Path(output_dir) / f"{name}.txt"
        text.write_text("".join(f"{utterance.text}\n" for utterance in sets[name]), encoding="utf-8")
    return paths


def _root(corpus_dir: Path) -> Path:
    """The folder that holds etc/ and feat/, be it the one given or its an4/."""
    for folder in (corpus_dir, corpus_dir / "an4"):
        if (folder / "etc").is_dir() and (folder / "feat").is_dir():
            return folder
    raise ManifestError(f"{corpus_dir}: no etc/ and feat/ in it; get AN4 from {_HOME} and unpack it.")


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
    return attempt("an4", lambda: print_sets(prepare(options.corpus_dir, options.output_dir)))


if __name__ == "__main__":
    sys.exit(main())
