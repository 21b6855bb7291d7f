"""Claim: nothing is written where nobody speaks, and a long recording makes no model write on and on.

    python benchmarks/runaway.py runs/an4 runs/an4-seq2seq --manifest data/an4/recordings.jsonl

Ten seconds and ten minutes of zeros, ten seconds of white noise, and --manifest's recordings in turn, half a second of
faint noise between them, until --minutes are full. The last row is about length, not about words: recordings that a
model was trained on will do. Each model decodes as it would by itself; --ctc-weight is for attention models.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import asr
from asr.inputs import load_input
from asr.manifest import read_manifest
from asr.scoring import count_words

RATE = 16000
PAUSE_SECONDS, PAUSE_DECIBELS = 0.5, -80
MOST_WORDS = 1.25
"""Words written in the long recording, for each that is said."""


def main() -> None:
    """A line for each model and recording, then one line of JSON."""
    args = _parse()
    rows = [row for model in args.models for row in listen(model, args)]
    missed = [f"{row['model']}: {row['recording']}" for row in rows if row["ran_away"]]
    print(json.dumps({"benchmark": "runaway", "rows": rows, "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def listen(model: str, args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """What a model writes into each recording."""
    decoder = None
    if args.ctc_weight is not None:
        decoder = asr.AttentionDecoder(asr.AttentionSearch(ctc_weight=args.ctc_weight))
    recognizer = asr.load(model, device="cpu", decoder=decoder)
    for name, waveform in silences():
        text = recognizer.transcribe(waveform, sample_rate=RATE).text
        print(f"{model}, {name}: {len(text)} characters {text[:40]!r}", flush=True)
        yield {"model": model, "recording": name, "characters": len(text), "ran_away": bool(text)}
    if args.manifest:
        said, waveform = in_turns(args.manifest, args.minutes * 60)
        counts = count_words(said, recognizer.transcribe(waveform, sample_rate=RATE).text)
        ratio = counts.num_hypothesis / counts.num_reference
        name = f"{args.minutes:g} minutes of speech"
        print(
            f"{model}, {name}: {counts.errors / counts.num_reference:.2%} WER, {counts.insertions} insertions, "
            f"{ratio:.2f} words written for each of {counts.num_reference}",
            flush=True,
        )
        errors = {"insertions": counts.insertions, "words": counts.num_reference}
        yield {"model": model, "recording": name, **errors, "ran_away": ratio > MOST_WORDS}


def silences() -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Recordings in which nobody speaks."""
    for seconds in (10, 600):
        yield f"{seconds} s of zeros", np.zeros(seconds * RATE, np.float32)
    for decibels in (-60, -20):
        yield f"10 s of noise, {decibels} dB", noise(10, decibels, seed=1)


def noise(seconds: float, decibels: float, seed: int) -> NDArray[np.float32]:
    """White, of such a root mean square below full scale."""
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)
    return drawn * np.float32(10 ** (decibels / 20))


def in_turns(manifest: Path, seconds: float) -> tuple[str, NDArray[np.float32]]:
    """Text and sound of the manifest's recordings one after the other, from the first again, for at least so long."""
    texts: list[str] = []
    parts: list[NDArray[np.float32]] = []
    length = 0
    for utterance in cycle(read_manifest(manifest)):
        if length >= seconds * RATE:
            return " ".join(texts), np.concatenate(parts)
        texts.append(utterance.text)
        spoken = load_input(utterance, RATE, num_static=0)
        parts += [spoken, noise(PAUSE_SECONDS, PAUSE_DECIBELS, seed=len(parts))]
        length += len(spoken) + len(parts[-1])
    sys.exit(f"{manifest}: no recordings")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=["english-small"], help="(%(default)s)")
    parser.add_argument("--manifest", type=Path, help="recordings with texts, which are joined")
    parser.add_argument("--minutes", type=float, default=12.0, help="of the joined recording (%(default)s)")
    parser.add_argument("--ctc-weight", type=float, help="of attention models; default: as trained")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
