"""Manifests of VCTK 0.92: 110 people with the accents of English read some 400 sentences each; 48 kHz.

    python recipes/vctk/prepare.py --output-dir data/vctk
    python recipes/vctk/prepare.py --corpus-dir VCTK-Corpus-0.92 --output-dir data/vctk

There is no official split. Here it goes by speaker: p232 and p257 test, p226 and p287 choose, the others train. Of the
two microphones the first is taken.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from asr import audio
from asr.corpus.items import Item, read_lines
from asr.download import Archive
from asr.manifest import Utterance
from asr.recipe import gather, locate, prepare_only, prepare_options, write_sets

SPEAKERS = {"dev": ("p226", "p287"), "test": ("p232", "p257")}
MICROPHONE = "_mic1"
ARCHIVES = (
    Archive(
        "vctk",
        "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
        "sha256:f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
    ),
)

_HOME = "https://datashare.ed.ac.uk/handle/10283/3443"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test; recordings without a text, as p315's, are left out.

    Raises:
        ManifestError: a folder is missing, or a set's speakers are.
    """
    root = locate(Path(corpus_dir), "txt/", "wav48_silence_trimmed/", home=_HOME)
    sets: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    set_of = {speaker: name for name, speakers in SPEAKERS.items() for speaker in speakers}
    for utterance in gather(_items(root), [root]):
        sets[set_of.get(utterance.speaker or "", "train")].append(utterance)
    return write_sets(output_dir, sets)


def _items(root: Path) -> Iterator[Item]:
    for path in audio.find(root / "wav48_silence_trimmed"):
        if path.stem.endswith(MICROPHONE):
            speaker, name = path.parent.name, path.stem.removesuffix(MICROPHONE)
            text = root / "txt" / speaker / f"{name}.txt"
            if text.is_file():
                yield Item(str(path), str(path.relative_to(root)), " ".join(read_lines(text)), speaker)
            else:
                problem = f"its text {text.name} is not there; write it or remove the recording"
                yield Item(str(path), None, None, problem=problem)


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options(
        "Manifests of VCTK.", "vctk", "the folder of txt/ and wav48_silence_trimmed/", ARCHIVES
    ).parse_args()
    return prepare_only(options, "vctk", prepare)


if __name__ == "__main__":
    sys.exit(main())
