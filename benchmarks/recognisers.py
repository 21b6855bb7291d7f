"""Claim: on Mandarin speakers the bundled English model makes two thirds of pip's own recogniser's word errors at most.

That is pocketsphinx 5.1.1 with its en-us model and language model, as it comes. On native readers it is ahead, with a
model of far more speech: that is measured too, and nothing is claimed. Both hear the same recordings, in
turns, one thread each: three LibriSpeech speakers and a share (--every) of speechocean762's test set, whose voices no
training heard. WER with 95 % intervals, and times real time of processor time.

The peer is installed into an environment of its own (--venv). --data is what recipes/english/prepare.py wrote.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import _peers
import numpy as np

import asr
from asr import scoring
from asr.inputs import load_input
from asr.manifest import Utterance, read_manifest
from asr.scoring import Counts
from asr.text import normalize

SETS = {"librispeech": float("inf"), "speechocean762": 0.67}
"""At most so much of the peer's WER."""
RATE = 16000

Recognise = Callable[[np.ndarray], str]


class Heard(NamedTuple):
    """One recogniser's run over one set."""

    counts: list[Counts]
    seconds: float


def main() -> None:
    """A row a set and recogniser, then one line of JSON."""
    args = _parse()
    _peers.enter(args.venv)
    systems = {"asr": ours(args.model), "pocketsphinx": pocketsphinx()}
    result, missed = {}, []
    for name, bar in SETS.items():
        manifest = args.data / name / "test.jsonl"
        if not manifest.is_file():
            missed.append(f"{name}: not measured, no {manifest}")
            continue
        utterances = read_manifest(manifest)
        utterances = utterances[:: args.every] if name == "speechocean762" else utterances
        heard = measure(systems, utterances)
        result[name] = report(name, heard, sum(utterance.duration for utterance in utterances))
        ratio = result[name]["asr"]["wer"] / result[name]["pocketsphinx"]["wer"]
        missed += [f"{name}: {ratio:.2f} of the peer's WER, stated {bar}"] if ratio > bar else []
    print(json.dumps({"benchmark": "recognisers", "model": args.model, **result, "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def ours(model: str) -> Recognise:
    """With the decoder that the model remembers."""
    recognizer = asr.load(model, device="cpu")
    return lambda waveform: recognizer.transcribe(waveform, sample_rate=RATE).text


def pocketsphinx() -> Recognise:
    """As ``pocketsphinx.Decoder()`` comes."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def recognise(waveform: np.ndarray) -> str:
        decoder.start_utt()
        decoder.process_raw((waveform * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    return recognise


def measure(systems: dict[str, Recognise], utterances: Sequence[Utterance]) -> dict[str, Heard]:
    """Every system on one utterance, then on the next; what one needs once is done before."""
    counts: dict[str, list[Counts]] = {name: [] for name in systems}
    seconds = dict.fromkeys(systems, 0.0)
    for recognise in systems.values():
        recognise(load_input(utterances[0], RATE, 0))
    for utterance in utterances:
        waveform = load_input(utterance, RATE, 0)
        for name, recognise in systems.items():
            start = time.process_time()
            text = recognise(waveform)
            seconds[name] += time.process_time() - start
            counts[name].append(scoring.count_words(normalize(utterance.text), normalize(text)))
    return {name: Heard(counts[name], seconds[name]) for name in systems}


def report(name: str, heard: dict[str, Heard], audio_seconds: float) -> dict[str, dict[str, float]]:
    """Print the rows of a set; WER, its interval and times real time by system."""
    figures = {}
    for system, (counts, seconds) in heard.items():
        rate, interval = scoring.total(counts).rate, scoring.interval(counts)
        speed = audio_seconds / seconds
        figures[system] = {"wer": rate, "low": interval.low, "high": interval.high, "times_real_time": speed}
        print(
            f"{name:15} {system:13} WER {100 * rate:5.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
            f"  {speed:6.1f} times real time, {len(counts)} utterances"
        )
    return figures


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=_peers.FOLDER, help="the peer's own (%(default)s)")
    parser.add_argument("--model", default="english-small", help="ours (%(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data/english"), help="manifests (%(default)s)")
    parser.add_argument(
        "--every", type=int, default=8, help="of speechocean762, one utterance in so many (%(default)s)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
