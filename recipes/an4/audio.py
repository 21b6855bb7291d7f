"""AN4's recordings through a model of its cepstra: the same text, and log_probs within 1e-3, as from the cepstra.

    python recipes/an4/audio.py --recordings an4/wav --model runs/an4/seed1

The corpus has both of the same utterances; our own front end (features=mfcc_sphinx) stands in for CMU's.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import asr
from asr import audio
from asr.errors import ManifestError
from asr.manifest import read_manifest
from asr.recipe import attempt

TOLERANCE = 1e-3
"""Of log_probs."""


def compare(model: str, data: Path, recordings: Path) -> tuple[int, int, float]:
    """How many recordings there are, how many give the text of their cepstra, and the largest difference of log_probs.

    Raises:
        ManifestError: no recording is of an utterance of the corpus.
    """
    recognizer = asr.load(model, device="cpu")
    utterances = [u for name in ("train-all", "test") for u in read_manifest(data / f"{name}.jsonl")]
    cepstra = {Path(str(utterance.features_filepath)).stem: utterance for utterance in utterances}
    pairs = [(path, cepstra[path.stem]) for path in audio.find(recordings) if path.stem in cepstra]
    if not pairs:
        raise ManifestError(f"{recordings}: no recording there is named like an utterance of {data}.")
    sources = [source for pair in pairs for source in pair]
    heard = [one.log_probs for one in recognizer.hear_all(sources)]
    texts = [transcript.text for transcript in recognizer.transcribe_all(sources)]
    furthest = max(
        float(np.abs(ours - theirs).max()) for ours, theirs in zip(heard[::2], heard[1::2], strict=True)
    )
    return len(pairs), sum(map(str.__eq__, texts[::2], texts[1::2])), furthest


def main() -> int:
    """Print one line; the exit code is 1 unless every text is equal and the log_probs are near enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data/an4"), help="manifests (%(default)s)")
    parser.add_argument("--recordings", type=Path, required=True, help="a folder of AN4's audio")
    parser.add_argument("--model", default="runs/an4/seed1", help="default: %(default)s")
    options = parser.parse_args()
    return attempt("an4", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    number, equal, furthest = compare(options.model, options.data, options.recordings)
    print(
        f"{equal} of {number} recordings give the text of their cepstra; log_probs differ by {furthest:.1e} at most"
    )
    return 0 if equal == number and furthest <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
