"""Claim: aligned words lie within 50 ms (median) of the true joins of digit strings, and inside their sentences.

Digit strings are FSDD's (recipes/fsdd/prepare.py writes the true time of each digit into its manifest, as ``joins``),
aligned by the bundled model. Sentences are those of a chapter that is one long file, its whole text aligned by
--model: how many words lie outside the sentence they belong to, and how many are named as having no place. And what
an hour costs, on made-up scores: seconds, and memory over that of the scores.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import asr
from asr.alignment import align_words
from asr.manifest import read_manifest

CLAIMED = {"start": 0.05, "end": 0.05, "outside": 0, "megabytes": 400}
"""At most: seconds, seconds, words, and megabytes of an hour."""
TOLERANCE = 0.1
"""Seconds that a word may reach over the end of its sentence: the cuts lie somewhere in the pauses."""
HOUR_FRAMES, HOUR_CHARACTERS = 90_000, 60_000


def main() -> None:
    """Print a row for each claim, then one line of JSON."""
    args = _parse()
    # First, since memory is counted at its peak.
    result: dict[str, float] = _hour() if args.hour else {}
    if args.strings.is_file():
        result |= _strings(args.strings)
    if args.model:
        result |= _sentences(args.model, args.longform)
    missed = [name for name, most in CLAIMED.items() if result.get(name, 0.0) > most]
    print(json.dumps({"benchmark": "alignment", **result, "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def _strings(manifest: Path) -> dict[str, float]:
    errors = np.abs(list(string_errors(manifest)))
    result = {}
    for name, values in zip(("start", "end"), errors.T, strict=True):
        result[name] = float(np.median(values))
        tail = 1000 * np.percentile(values, 90)
        print(
            f"{name:9} median {1000 * result[name]:5.1f} ms, 90 % within {tail:5.1f} ms, {len(values)} words"
        )
    return result


def string_errors(manifest: Path) -> Iterator[tuple[float, float]]:
    """How late each word begins and ends, in seconds; one without a place is as far off as the string is long."""
    recognizer = asr.load("digits-en", device="cpu")
    for utterance in read_manifest(manifest):
        words = recognizer.align(utterance, utterance.text).words
        for word, (start, end) in zip(words, utterance.extra["joins"], strict=True):
            placed = bool(word.characters)
            yield (word.start - start, word.end - end) if placed else (utterance.duration,) * 2


def _sentences(model: str, folder: Path) -> dict[str, float]:
    recognizer = asr.load(model, device="cpu")
    (segments,), (recording,) = folder.glob("*.segments.tsv"), folder.glob("*.flac")
    rows = [line.split("\t") for line in segments.read_text().splitlines()]
    belongs = [(float(start), float(end)) for start, end, _, text in rows for _ in text.split()]
    words = recognizer.align(recording, " ".join(row[3] for row in rows)).words
    outside = [
        bool(word.characters) and (word.start < start - TOLERANCE or end + TOLERANCE < word.end)
        for word, (start, end) in zip(words, belongs, strict=True)
    ]
    unaligned, placed = sum(not word.aligned for word in words), sum(bool(word.characters) for word in words)
    print(
        f"sentences {sum(outside)} of {placed} placed words outside theirs by more than {TOLERANCE:g} s; "
        f"{unaligned} of {len(words)} named as unaligned, {len(words) - placed} of them without a place"
    )
    return {"outside": sum(outside), "unaligned": unaligned / len(words)}


def _hour() -> dict[str, float]:
    generator = np.random.default_rng(1)
    labels = generator.integers(1, 30, HOUR_CHARACTERS)
    log_probs = np.full((HOUR_FRAMES, 30), -9.0, np.float32)
    log_probs[:, 0] = -0.1
    shown = np.sort(generator.choice(HOUR_FRAMES, HOUR_CHARACTERS, replace=False))
    log_probs[shown, labels] = -0.05
    words = [word.tolist() for word in np.split(labels, range(5, HOUR_CHARACTERS, 5))]
    align_words(log_probs[:10], words[:1], 5.0, 1.0)  # compiled, or loaded
    before, started = _megabytes(), time.perf_counter()
    align_words(log_probs, words, 5.0, 1.0)
    took, taken = time.perf_counter() - started, _megabytes() - before
    print(f"an hour   {HOUR_FRAMES} frames, {HOUR_CHARACTERS} characters: {took:.0f} s, {taken:.0f} MB")
    return {"seconds": took, "megabytes": taken}


def _megabytes() -> float:
    """The most that this process has held (ru_maxrss counts bytes on macOS, kibibytes elsewhere)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--strings", type=Path, default=Path("data/fsdd/strings-test.jsonl"), help="%(default)s"
    )
    parser.add_argument(
        "--longform", type=Path, default=Path("../shared/corpora/longform"), help="%(default)s"
    )
    parser.add_argument("--model", help="for the sentences: a model of read English")
    parser.add_argument("--no-hour", dest="hour", action="store_false", help="leave out the made-up hour")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
