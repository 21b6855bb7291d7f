"""Manifests of a language of Mozilla Common Voice: sentences read by volunteers, mp3.

    python recipes/commonvoice/prepare.py --corpus-dir cv-corpus-24.0-2025-12-05/cy --output-dir data/commonvoice

The official train.tsv, dev.tsv and test.tsv, in which no speaker is in two sets.
"""

import sys
from pathlib import Path

from asr.corpus import tables
from asr.recipe import gather, locate, prepare_only, prepare_options, write_sets

SETS = ("train", "dev", "test")

_HOME = "https://commonvoice.mozilla.org"


def prepare(corpus_dir: Path, output_dir: Path) -> dict[str, Path]:
    """Write the manifests train, dev and test.

    Raises:
        ManifestError: a table or clips/ is missing, or none of a set's recordings is there.
    """
    root = locate(Path(corpus_dir), "clips/", *(f"{name}.tsv" for name in SETS), home=_HOME)
    sets = {name: gather(tables.read(root / f"{name}.tsv"), [root / "clips"]) for name in SETS}
    return write_sets(output_dir, sets)


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = prepare_options(
        "Manifests of a language of Common Voice.", "commonvoice", "the language's folder"
    ).parse_args()
    return prepare_only(options, "commonvoice", prepare)


if __name__ == "__main__":
    sys.exit(main())
