"""One English training set of LibriSpeech, speechocean762, LJ Speech and synthetic voices.

    python recipes/english/prepare.py --librispeech LibriSpeech --speechocean762 speechocean762 \\
        --ljspeech LJSpeech-1.1 --output-dir data/english

The first two are divided as their own recipes do it; LJ Speech trains whole, and its sentences without a recording
are read by synthetic voices.
"""

import argparse
import re
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from voices import synthesise

from asr import audio
from asr.corpus.items import RecordingFinder
from asr.errors import ManifestError
from asr.manifest import Utterance, read_manifest
from asr.recipe import attempt, data_options, print_sets, read_lines, write_sets

POOLED = ("librispeech", "speechocean762")
NUM_READ = 3000
"""Sentences for the synthetic voices, five hours."""
_HOME = "https://keithito.com/LJ-Speech-Dataset"
_READABLE = re.compile(r"[A-Za-z ,.;:'\"?!-]+")
"""What synthesisers and spelling agree on: neither numbers nor abbreviated titles."""


def prepare(options: argparse.Namespace) -> dict[str, Path]:
    """Write the manifests train and dev, those of each corpus, and train.txt, all texts for a language model.

    Raises:
        ManifestError: a corpus is missing or incomplete.
        AsrError: a synthesiser is not installed.
    """
    output_dir = options.output_dir
    corpora = {name: _prepare(name, options) for name in POOLED}
    recorded, unrecorded = _ljspeech(options.ljspeech)
    voices = synthesise(_drawn(unrecorded, options.synthetic), output_dir) if options.synthetic else None
    train = [u for paths in corpora.values() for u in read_manifest(paths["train"])] + recorded
    dev = [u for paths in corpora.values() for u in read_manifest(paths["dev"])]
    spoken = read_manifest(voices) if voices else []
    sets = write_sets(output_dir, {"train": train + spoken, "dev": dev})
    texts = [*(utterance.text for utterance in train), *unrecorded]
    (output_dir / "train.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    for name, paths in corpora.items():
        sets |= {f"{name}-{part}": path for part, path in paths.items() if part != "train"}
    return sets


def _prepare(name: str, options: argparse.Namespace) -> dict[str, Path]:
    """What another recipe's prepare.py writes; recipes are scripts, in no package."""
    script = runpy.run_path(str(Path(__file__).parents[1] / name / "prepare.py"))
    paths: dict[str, Path] = script["prepare"](getattr(options, name), options.output_dir / name)
    return paths


def _ljspeech(folder: Path) -> tuple[list[Utterance], list[str]]:
    """Its utterances, and its sentences that have no recording there."""
    finder = RecordingFinder([folder / "wavs"])
    recorded, unrecorded = [], []
    for line in read_lines(folder / "metadata.csv"):
        name, _, text = line.split("|")
        path = finder.find(name)
        if path is None:
            unrecorded.append(text)
        else:
            recorded.append(Utterance(str(path), audio.duration(path), text, speaker="ljspeech"))
    if not recorded:
        raise ManifestError(f"{folder / 'wavs'}: no recording; get LJ Speech from {_HOME} and unpack it.")
    return recorded, unrecorded


def _drawn(sentences: Iterable[str], number: int, seed: int = 1) -> list[str]:
    """So many of the sentences that read as they are spelt, in an order of their own."""
    readable = [sentence for sentence in sentences if _READABLE.fullmatch(sentence)]
    order = np.random.default_rng(seed).permutation(len(readable))[:number]
    return [readable[place] for place in order]


def corpus_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The three corpora and the number of sentences for the synthetic voices."""
    for name, what in (
        ("librispeech", "the folder of dev-clean and the like"),
        ("speechocean762", "the folder of train/, test/ and WAVE/"),
        ("ljspeech", "the folder of metadata.csv and wavs/"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    parser.add_argument(
        "--synthetic", type=int, default=NUM_READ, help="sentences read by synthetic voices (%(default)s)"
    )
    return parser


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    options = corpus_options(data_options(__doc__, "english")).parse_args()
    return attempt("english", lambda: print_sets(prepare(options)))


if __name__ == "__main__":
    sys.exit(main())
