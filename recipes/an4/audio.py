"""AN4's recordings through a model of its cepstra: the same text, and log_probs within 1e-3, as from the cepstra.

    python recipes/an4/audio.py --recordings an4/wav --model runs/an4/seed1

The corpus has both of the same utterances; our own front end (features=mfcc_sphinx) stands in for CMU's. --manifest
keeps the recordings and their texts, for `asr evaluate` and whatever else wants sound.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import asr
from asr import audio
from asr.errors import ManifestError
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.recipe import attempt

TOLERANCE = 1e-3
"""Of log_probs."""


def recorded(data: Path, recordings: Path) -> list[tuple[Path, Utterance]]:
    """Each recording of an utterance of the corpus, and the utterance of its cepstra.

    Raises:
        ManifestError: there is none.
    """
    utterances = [u for name in ("train-all", "test") for u in read_manifest(data / f"{name}.jsonl")]
    cepstra = {Path(str(utterance.features_filepath)).stem: utterance for utterance in utterances}
    pairs = [(path, cepstra[path.stem]) for path in audio.find(recordings) if path.stem in cepstra]
    if not pairs:
        raise ManifestError(f"{recordings}: no recording there is named like an utterance of {data}.")
    return pairs


def as_recording(utterance: Utterance, path: Path) -> Utterance:
    """The same text, to be heard instead of read as cepstra."""
    return replace(utterance, audio_filepath=str(path), duration=audio.duration(path), features_filepath=None)


def compare(model: str, pairs: Sequence[tuple[Path, Utterance]]) -> tuple[int, float]:
    """How many recordings give the text of their cepstra, and the largest difference of log_probs."""
    recognizer = asr.load(model, device="cpu")
    sources = [source for pair in pairs for source in pair]
    heard = [one.log_probs for one in recognizer.hear_all(sources)]
    texts = [transcript.text for transcript in recognizer.transcribe_all(sources)]
    furthest = max(
        float(np.abs(ours - theirs).max()) for ours, theirs in zip(heard[::2], heard[1::2], strict=True)
    )
    return sum(map(str.__eq__, texts[::2], texts[1::2])), furthest


def main() -> int:
    """Print one line; the exit code is 1 unless every text is equal and the log_probs are near enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data/an4"), help="manifests (%(default)s)")
    parser.add_argument("--recordings", type=Path, required=True, help="a folder of AN4's audio")
    parser.add_argument("--model", default="runs/an4/seed1", help="default: %(default)s")
    parser.add_argument("--manifest", type=Path, help="to write: the recordings and their texts")
    options = parser.parse_args()
    return attempt("an4", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    pairs = recorded(options.data, options.recordings)
    if options.manifest:
        write_manifest(options.manifest, (as_recording(utterance, path) for path, utterance in pairs))
    equal, furthest = compare(options.model, pairs)
    print(
        f"{equal} of {len(pairs)} recordings give the text of their cepstra; log_probs differ by {furthest:.1e} at most"
    )
    return 0 if equal == len(pairs) and furthest <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
