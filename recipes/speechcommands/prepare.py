"""Manifests of Speech Commands 0.02: 35 English words, a second each, from thousands of people.

    python recipes/speechcommands/prepare.py --output-dir data/speechcommands
    python recipes/speechcommands/prepare.py --corpus-dir speech_commands_v0.02 --output-dir data/speechcommands

The official split: testing_list.txt tests, validation_list.txt chooses, the others train; no speaker is in two sets.
"""

import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from asr import audio
from asr.corpus.items import Item, read_lines
from asr.download import Archive
from asr.recipe import gather, locate, prepare_only, prepare_options, write_sets

LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}
MARK = "_nohash_"
"""Between a speaker's name and the number of the recording; noises lack it."""
ARCHIVES = (
    Archive(
        "speechcommands",
        "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
)


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test.

    Raises:
        ManifestError: a list is missing, or none of a set's recordings is there.
    """
    root = locate(Path(corpus_dir), *LISTS.values(), home=ARCHIVES[0].url)
    listed = {name: _names(read_lines(root / path)) for name, path in LISTS.items()}
    found = _names(path.relative_to(root).as_posix() for path in audio.find(root) if MARK in path.stem)
    sets = {"train": found - listed["dev"] - listed["test"], **listed}
    return write_sets(
        output_dir, {name: gather(map(_item, sorted(members)), [root]) for name, members in sets.items()}
    )


def _names(paths: Iterable[str]) -> set[PurePosixPath]:
    """Without the extension, which re-encoding changes."""
    return {PurePosixPath(path).with_suffix("") for path in paths if path}


def _item(name: PurePosixPath) -> Item:
    return Item(str(name), str(name), text=name.parent.name, speaker=name.name.partition(MARK)[0])


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options(
        "Manifests of Speech Commands.", "speechcommands", "the folder of the words", ARCHIVES
    ).parse_args()
    return prepare_only(options, "speechcommands", prepare)


if __name__ == "__main__":
    sys.exit(main())
