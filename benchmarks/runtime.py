"""Claim: an exported model in int8 recognises three times as fast as the same model on torch in float32, on one core.

Torch, ONNX float32, ONNX int8 and pocketsphinx 5.1.1 (with its own English models) hear the same recordings in turns,
one thread each, greedily but for pocketsphinx. Times real time of processor time, a median of --rounds each recording;
word error rate with its 95 % interval, and what int8 changes of it. Numbers are worth stating of a trained model only.

The peer is installed into an environment of its own (--venv).
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import _peers
import recognisers

import asr
from asr import scoring
from asr.decoding import decode_greedy
from asr.export import export
from asr.inputs import load_input
from asr.manifest import Utterance, read_manifest
from asr.scoring import Counts
from asr.text import normalize

STATED = 3.0
"""Times torch's speed."""
TORCH, FLOAT, INT8, PEER = "torch float32", "ONNX float32", "ONNX int8", "pocketsphinx"
MOST_MEGABYTES = 10.0


class Heard(NamedTuple):
    """One system over all recordings."""

    counts: list[Counts]
    seconds: float


def main() -> None:
    """A row a system, then one line of JSON."""
    args = _parse()
    _peers.enter(args.venv)
    utterances = read_manifest(args.manifest)[:: args.every]
    with tempfile.TemporaryDirectory() as folder:
        files = {TORCH: args.model, FLOAT: Path(folder) / "float.onnx", INT8: Path(folder) / "int8.onnx"}
        export(args.model, files[FLOAT])
        export(args.model, files[INT8], int8=True)
        megabytes = files[INT8].stat().st_size / 1e6
        recognizers = {
            name: asr.load(model, device="cpu", decoder=decode_greedy) for name, model in files.items()
        }
        heard = measure(recognizers, utterances, args.rounds)
    figures = report(heard, sum(utterance.duration for utterance in utterances))
    ratio = figures[INT8]["times_real_time"] / figures[TORCH]["times_real_time"]
    change = figures[INT8]["wer"] - figures[TORCH]["wer"]
    print(f"int8: {ratio:.2f} x torch, {100 * change:+.2f} points of WER, a file of {megabytes:.1f} MB")
    missed = [f"int8 / torch: {ratio:.2f}, stated {STATED}"] * (ratio < STATED)
    missed += [f"{megabytes:.1f} MB, stated {MOST_MEGABYTES}"] * (megabytes > MOST_MEGABYTES)
    summary = {"ratio": round(ratio, 3), "wer_change": round(change, 5), "megabytes": round(megabytes, 2)}
    print(json.dumps({"benchmark": "runtime", "systems": figures, **summary, "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def measure(
    recognizers: dict[str, asr.Recognizer], utterances: Sequence[Utterance], rounds: int
) -> dict[str, Heard]:
    """All systems on one recording, then on the next; what one needs once is done before."""
    rate = recognisers.RATE
    systems = {name: _ours(recognizer) for name, recognizer in recognizers.items()}
    systems[PEER] = recognisers.pocketsphinx()
    counts: dict[str, list[Counts]] = {name: [] for name in systems}
    seconds = dict.fromkeys(systems, 0.0)
    for recognise in systems.values():
        recognise(load_input(utterances[0], rate, 0))
    for utterance in utterances:
        waveform = load_input(utterance, rate, 0)
        times: dict[str, list[float]] = {name: [] for name in systems}
        for turn in range(rounds):
            for name, recognise in systems.items():
                start = time.process_time()
                text = recognise(waveform)
                times[name].append(time.process_time() - start)
                if turn == 0:
                    counts[name].append(scoring.count_words(normalize(utterance.text), normalize(text)))
        for name in systems:
            seconds[name] += statistics.median(times[name])
    return {name: Heard(counts[name], seconds[name]) for name in systems}


def _ours(recognizer: asr.Recognizer) -> recognisers.Recognise:
    return lambda waveform: recognizer.transcribe(waveform, sample_rate=recognisers.RATE).text


def report(heard: dict[str, Heard], audio_seconds: float) -> dict[str, dict[str, float]]:
    """Print a row a system; its WER, interval and speed."""
    figures = {}
    for name, (counts, seconds) in heard.items():
        rate, interval, speed = scoring.total(counts).rate, scoring.interval(counts), audio_seconds / seconds
        figures[name] = {"wer": rate, "low": interval.low, "high": interval.high, "times_real_time": speed}
        error = f"WER {100 * rate:5.2f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
        print(f"{name:14}{speed:8.1f} times real time  {error}, {len(counts)} recordings")
    return figures


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=_peers.FOLDER, help="the peer's own (%(default)s)")
    parser.add_argument("--model", default="english-small", help="a directory or name (%(default)s)")
    parser.add_argument(
        "--manifest", type=Path, default=Path("data/english/librispeech/dev.jsonl"), help="(%(default)s)"
    )
    parser.add_argument("--every", type=int, default=4, help="one recording in so many (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="times each is heard (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
