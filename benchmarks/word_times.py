"""Claim: words begin and end within 50 ms (median) of the true joins of digit strings, and inside their sentences.

Digit strings are FSDD's (recipes/fsdd/prepare.py writes the true time of each digit into its manifest, as ``joins``),
heard by the bundled model. Sentences are those of a chapter that is one long file, heard by --model in one piece:
of the words that are right, the share that lies inside the sentence it belongs to, a frame's length allowed.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jiwer
import numpy as np

import asr
from asr.manifest import read_manifest
from asr.text import normalize
from asr.types import Word

CLAIMED_ERROR = 0.05
"""Seconds."""
CLAIMED_SHARE = 0.98
"""Not 1: where a third of the words is right, a short word is now and then right by chance, in another place."""


class Sentence(NamedTuple):
    start: float
    end: float
    text: str


def main() -> None:
    """Print a row for starts, one for ends, one for the sentences; then one line of JSON."""
    args = _parse()
    result: dict[str, float] = {}
    if args.strings.is_file():
        errors = np.array(list(string_errors(args.strings)))
        for name, values in zip(("start", "end"), np.abs(errors).T, strict=True):
            result[name] = float(np.median(values))
            tail = np.percentile(values, 90)
            print(
                f"{name:9} median {1000 * result[name]:5.1f} ms, 90 % within {1000 * tail:5.1f} ms, {len(values)} words"
            )
    if args.model:
        inside, total = sentence_words(args.model, args.longform)
        result["inside"] = inside / total
        print(f"sentences {inside} of {total} right words inside theirs ({100 * result['inside']:.2f} %)")
    missed = [name for name in ("start", "end") if result.get(name, 1.0) > CLAIMED_ERROR]
    missed += ["inside"] if result.get("inside", 1.0) < CLAIMED_SHARE else []
    print(json.dumps({"benchmark": "word times", **result, "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def string_errors(manifest: Path) -> Iterator[tuple[float, float]]:
    """Of each word of a text that is right: how late it begins and ends, in seconds."""
    recognizer = asr.load("digits-en", device="cpu")
    utterances = read_manifest(manifest)
    for utterance, transcript in zip(utterances, recognizer.transcribe_all(utterances), strict=True):
        if isinstance(transcript, asr.Transcript) and transcript.text == utterance.text:
            for word, (start, end) in zip(transcript.words, utterance.extra["joins"], strict=True):
                yield word.start - start, word.end - end


def sentence_words(model: str, folder: Path) -> tuple[int, int]:
    """Right words inside their sentence, and right words."""
    recognizer = asr.load(model, device="cpu")
    (segments,), (recording,) = folder.glob("*.segments.tsv"), folder.glob("*.flac")
    rows = [line.split("\t") for line in segments.read_text().splitlines()]
    sentences = [
        Sentence(float(start), float(end), normalize(text, recognizer.text)) for start, end, _, text in rows
    ]
    belongs = [sentence for sentence in sentences for _ in sentence.text.split()]
    transcript = recognizer.transcribe(recording)
    slack = recognizer.acoustic.frame_seconds
    pairs = list(_right(" ".join(sentence.text for sentence in sentences), transcript.words))
    inside = [
        belongs[place].start - slack <= word.start and word.end <= belongs[place].end + slack
        for place, word in pairs
    ]
    return sum(inside), len(inside)


def _right(reference: str, words: Sequence[Word]) -> Iterator[tuple[int, Word]]:
    """Places in the reference that were heard right, and the words there."""
    aligned = jiwer.process_words(reference, " ".join(word.text for word in words)).alignments[0]
    for chunk in aligned:
        if chunk.type == "equal":
            yield from zip(
                range(chunk.ref_start_idx, chunk.ref_end_idx),
                words[chunk.hyp_start_idx : chunk.hyp_end_idx],
                strict=True,
            )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--strings", type=Path, default=Path("data/fsdd/strings-test.jsonl"), help="%(default)s"
    )
    parser.add_argument(
        "--longform", type=Path, default=Path("../shared/corpora/longform"), help="%(default)s"
    )
    parser.add_argument("--model", help="for the sentences: a model of read English")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
