"""Manifests of LibriSpeech (OpenSLR 12): read audio books, 16 kHz; of its official subsets or of a part of one.

    python recipes/librispeech/prepare.py --subsets train-clean-100 dev-clean test-clean
    python recipes/librispeech/prepare.py --corpus-dir LibriSpeech --output-dir data/librispeech

Where a train-* subset is there, the official split holds: all of train-* train, dev-clean chooses, test-clean tests;
dev-other and test-other get manifests of their own. With less than that, the speakers of dev-clean are divided:
1272, 1988 and 2086 test, 1462 and 2428 choose, the others train; what else is there gets manifests of its own.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from asr import audio
from asr.download import Archive
from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.recipe import prepare_only, prepare_options, write_sets

TEST_SPEAKERS = ("1272", "1988", "2086")
DEV_SPEAKERS = ("1462", "2428")
ARCHIVES = {
    subset: Archive(subset, f"https://www.openslr.org/resources/12/{subset}.tar.gz", f"sha256:{checksum}")
    for subset, checksum in {
        "dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
        "dev-other": "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
        "test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
        "test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
        "train-clean-100": "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
        "train-clean-360": "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
        "train-other-500": "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
    }.items()
}
SUBSETS = ("train-clean-100", "dev-clean", "test-clean")
"""What is downloaded where nothing else is asked for."""

_HOME = "https://www.openslr.org/12"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test, those of the other subsets, and the texts of train, one a line.

    Raises:
        ManifestError: the folder is missing, a split has no utterance, or a transcript has no recording.
    """
    subsets = {folder.name: list(_utterances(folder)) for folder in _folders(Path(corpus_dir))}
    official = any(name.startswith("train-") for name in subsets)
    sets = _official(subsets) if official else _by_speaker(subsets)
    return write_sets(output_dir, sets, texts=("train",))


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
    sets = {"train": train, "dev": subsets.get("dev-clean", []), "test": subsets.get("test-clean", [])}
    return sets | _named(subsets, "dev-other", "test-other")


def _by_speaker(subsets: Mapping[str, list[Utterance]]) -> dict[str, list[Utterance]]:
    sets: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for utterance in subsets.get("dev-clean", []):
        is_test, is_dev = utterance.speaker in TEST_SPEAKERS, utterance.speaker in DEV_SPEAKERS
        sets["test" if is_test else "dev" if is_dev else "train"].append(utterance)
    return sets | _named(subsets, "dev-other", "test-clean", "test-other")


def _named(subsets: Mapping[str, list[Utterance]], *names: str) -> dict[str, list[Utterance]]:
    return {name: subsets[name] for name in names if name in subsets}


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


def add_subsets(parser: argparse.ArgumentParser) -> None:
    """``--subsets``: what is downloaded."""
    parser.add_argument(
        "--subsets",
        dest="archives",
        metavar="SUBSET",
        type=_archive,
        nargs="+",
        default=[ARCHIVES[name] for name in SUBSETS],
        help=f"what to download: {', '.join(ARCHIVES)}; default: {' '.join(SUBSETS)}",
    )


def _archive(subset: str) -> Archive:
    if subset not in ARCHIVES:
        raise argparse.ArgumentTypeError(f"{subset!r} is not one of {', '.join(ARCHIVES)}")
    return ARCHIVES[subset]


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    parser = prepare_options(
        "Manifests of LibriSpeech, or of a part of it.",
        "librispeech",
        "the folder of dev-clean and the like",
        list(ARCHIVES.values()),
    )
    add_subsets(parser)
    return prepare_only(parser.parse_args(), "librispeech", prepare)


if __name__ == "__main__":
    sys.exit(main())
