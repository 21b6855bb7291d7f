"""Manifests of LibriSpeech (OpenSLR 12): read audio books, 16 kHz; of its official subsets or of a part of one.

    python recipes/librispeech/prepare.py --corpus-dir LibriSpeech --output-dir data/librispeech

Where a train-* subset is there, the official split holds: all of train-* train, dev-clean chooses, test-clean tests;
dev-other and test-other get manifests of their own. With less than that, the speakers of dev-clean are divided:
1272, 1988 and 2086 test, 1462 and 2428 choose, the others train.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from asr import audio
from asr.errors import ManifestError
from asr.manifest import Utterance, write_manifest
from asr.recipe import attempt, prepare_options, print_sets

TEST_SPEAKERS = ("1272", "1988", "2086")
DEV_SPEAKERS = ("1462", "2428")

_HOME = "https://www.openslr.org/12"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test, those of the other subsets, and the texts of train, one a line.

    Raises:
        ManifestError: the folder is missing, a split has no utterance, or a transcript has no recording.
    """
    subsets = {folder.name: list(_utterances(folder)) for folder in _folders(Path(corpus_dir))}
    official = any(name.startswith("train-") for name in subsets)
    sets = _official(subsets) if official else _by_speaker(subsets)
    for name, members in sets.items():
        if not members:
            raise ManifestError(f"{corpus_dir}: no utterance falls into {name}; get the rest from {_HOME}.")
    paths = {name: Path(output_dir) / f"{name}.jsonl" for name in sets}
    for name, members in sets.items():
        write_manifest(paths[name], members)
    texts = "".join(f"{utterance.text}\n" for utterance in sets["train"])
    (Path(output_dir) / "train.txt").write_text(texts, encoding="utf-8")
    return paths


def _folders(corpus_dir: Path) -> list[Path]:
    """The subsets, be the folder given LibriSpeech/ or the one around it."""
    for folder in (corpus_dir / "LibriSpeech", corpus_dir):
        subsets = [
            path for kind in ("train", "dev", "test") for path in folder.glob(f"{kind}-*") if path.is_dir()
        ]
        if subsets:
            return sorted(subsets)
    raise ManifestError(
        f"{corpus_dir}: no folder in it is named like dev-clean; get LibriSpeech from {_HOME} and unpack it."
    )


def _official(subsets: Mapping[str, list[Utterance]]) -> dict[str, list[Utterance]]:
    train = [u for name, members in subsets.items() if name.startswith("train-") for u in members]
    others = {name: members for name, members in subsets.items() if name in ("dev-other", "test-other")}
    return {
        "train": train,
        "dev": subsets.get("dev-clean", []),
        "test": subsets.get("test-clean", []),
        **others,
    }


def _by_speaker(subsets: Mapping[str, Iterable[Utterance]]) -> dict[str, list[Utterance]]:
    sets: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for members in subsets.values():
        for utterance in members:
            is_test, is_dev = utterance.speaker in TEST_SPEAKERS, utterance.speaker in DEV_SPEAKERS
            sets["test" if is_test else "dev" if is_dev else "train"].append(utterance)
    return sets


def _utterances(subset: Path) -> Iterator[Utterance]:
    """Every line of every chapter's transcripts, whatever format the audio is in."""
    recordings = {path.stem: path for path in audio.find(subset)}
    for transcripts in sorted(subset.rglob("*.trans.txt")):
        for line in transcripts.read_text(encoding="utf-8").splitlines():
            name, _, text = line.partition(" ")
            if name not in recordings:
                raise ManifestError(
                    f"{transcripts}: the recording of {name} is missing; get LibriSpeech from {_HOME} again."
                )
            path = recordings[name]
            yield Utterance(str(path), audio.duration(path), text.lower(), speaker=name.split("-")[0])


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options(
        "Manifests of LibriSpeech, or of a part of it.", "librispeech", "the folder of dev-clean and the like"
    ).parse_args()
    return attempt("librispeech", lambda: print_sets(prepare(options.corpus_dir, options.output_dir)))


if __name__ == "__main__":
    sys.exit(main())
