"""Claims: a one-directional stream writes what it writes of the whole file, and no chunk takes longer than it lasts.

Digit strings of FSDD (recipes/fsdd/prepare.py writes the true end of each digit into its manifest, as ``joins``) are
streamed in chunks of 0.1 s, with half a second of the recording's own first and last tenths around. A word is late by
the sound that had to come after its end before it stood whole in a partial result, and by what computing then took.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import asr
from asr import audio
from asr.manifest import Utterance, read_manifest
from asr.recognizer import Recognizer
from asr.scoring import count_words, total
from asr.streaming import EndpointRules, Windows

CHUNK_SECONDS = 0.1
SLOWEST = 1.0
"""Seconds of computing a second of sound."""
RULES = EndpointRules(after_words=float("inf"))


class Heard(NamedTuple):
    """What a stream made of one recording."""

    text: str
    delays: list[float]
    """Of each word of the reference that came out right: seconds from its end to its partial."""
    busy: list[float]
    """Seconds of computing of each chunk."""


def main() -> None:
    """Print a row for each model and way of streaming; then one line of JSON."""
    args = _parse()
    rows, missed = {}, []
    print(f"{'':44}{'stated':>8}{'median':>8}{'90 %':>8}{'times':>8}{'WER %':>8}{'offline':>8}")
    for name, recognizer, windows in _ways(args.model):
        row = measure(recognizer, read_manifest(args.strings)[: args.limit], windows)
        rows[name] = row
        print(f"{name:44}" + "".join(f"{value:8.2f}" for value in row.values()))
        if row["times_real_time"] < 1 / SLOWEST:
            missed.append(f"{name}: slower than the sound")
        if windows is None and row["wer"] != row["wer_offline"]:
            missed.append(f"{name}: another text than of the whole")
    print(json.dumps({"benchmark": "streaming", "rows": rows, "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def _ways(model: str | None) -> Iterator[tuple[str, Recognizer, Windows | None]]:
    if model:
        recognizer = asr.load(model, device="cpu")
        exact = recognizer.stream().is_exact
        yield f"{Path(model).parent.name or model}", recognizer, None if exact else Windows()
    bundled = asr.load("digits-en", device="cpu")
    for chunk, after in ((1.0, 0.5), (0.5, 0.5), (0.3, 0.3), (0.2, 0.2)):
        yield f"digits-en, windows of {chunk:g} s and {after:g} s after", bundled, Windows(3.0, chunk, after)


def measure(
    recognizer: Recognizer, utterances: Sequence[Utterance], windows: Windows | None
) -> dict[str, float]:
    """Seconds of delay, stated, median and 90 %; times real time; WER in a stream and of whole files."""
    heard = [listen(recognizer, utterance, windows or Windows()) for utterance in utterances]
    delays = [delay for one in heard for delay in one.delays]
    busy = [seconds for one in heard for seconds in one.busy]
    references = [utterance.text for utterance in utterances]
    rate = recognizer.acoustic.sample_rate
    offline = [recognizer.transcribe(sound(one, recognizer), sample_rate=rate) for one in utterances]
    return {
        "stated": recognizer.stream(windows=windows or Windows()).latency,
        "median": float(np.median(delays)),
        "90 %": float(np.percentile(delays, 90)),
        "times_real_time": CHUNK_SECONDS / float(np.mean(busy)),
        "wer": 100 * word_error_rate(references, [one.text for one in heard]),
        "wer_offline": 100 * word_error_rate(references, [one.text for one in offline]),
    }


def listen(recognizer: Recognizer, utterance: Utterance, windows: Windows) -> Heard:
    """One recording in chunks, each word's delay read off the partial results."""
    rate = recognizer.acoustic.sample_rate
    waveform, stream = sound(utterance, recognizer), recognizer.stream(rules=RULES, windows=windows)
    said, size = utterance.text.split(), round(CHUNK_SECONDS * rate)
    delays: dict[int, float] = {}
    busy = []
    for start in range(0, len(waveform), size):
        started = time.perf_counter()
        stream.accept(waveform[start : start + size])
        busy.append(time.perf_counter() - started)
        words = stream.partial.text.split()
        for place, word in enumerate(words[: len(said)]):
            if place not in delays and word == said[place]:
                ended = EDGE_SECONDS + utterance.extra["joins"][place][1]
                delays[place] = (start + size) / rate + busy[-1] - ended
    text = " ".join(final.text for final in stream.finish())
    return Heard(text, list(delays.values()), busy)


EDGE_SECONDS = 0.5


def sound(utterance: Utterance, recognizer: Recognizer) -> np.ndarray:
    """The recording between some of its own background."""
    waveform = audio.load(utterance.audio_filepath, recognizer.acoustic.sample_rate)
    rate = recognizer.acoustic.sample_rate
    rng, quiet = np.random.default_rng(0), np.concatenate([waveform[: rate // 50], waveform[-rate // 50 :]])
    edges = rng.normal(0, quiet.std(), (2, round(EDGE_SECONDS * rate)))
    return np.concatenate([edges[0], waveform, np.tile(edges[1], 4)]).astype(np.float32)


def word_error_rate(references: Sequence[str], texts: Sequence[str]) -> float:
    return total([count_words(*pair) for pair in zip(references, texts, strict=True)]).rate


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--strings", type=Path, default=Path("data/fsdd/strings-test.jsonl"), help="%(default)s"
    )
    parser.add_argument(
        "--model", help="a model of digits to put beside digits-en, as of model=lstm_streaming"
    )
    parser.add_argument("--limit", type=int, default=60, help="recordings (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
