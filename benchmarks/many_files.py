"""Claim: ten thousand small recordings take the memory of five hundred, and each has its text.

Whole `asr transcribe` processes over folders of recordings of a quarter of a second, cut out of the bundled samples.
"""

import argparse
import json
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile
from _memory import peak_megabytes

from asr import audio

SAMPLES = Path(__file__).parents[1] / "recipes" / "demo" / "samples"
RATE = 8000
LENGTH = RATE // 4
MOST_GROWTH = 1.1


def main() -> None:
    """A row for each number of recordings, then one line of JSON."""
    args = _parse()
    peaks, lost = {}, 0
    with tempfile.TemporaryDirectory() as name:
        for count in (args.few, args.many):
            folder, out = Path(name) / f"{count}", Path(name) / f"{count}-texts"
            write(folder, count)
            started = time.perf_counter()
            peaks[count] = peak_megabytes("transcribe", str(folder), "-m", args.model, "-o", str(out), "-q")
            took = time.perf_counter() - started
            lost += count - len(list(out.iterdir()))
            print(f"{count:6} recordings: {peaks[count]:.0f} MB, {took:.0f} s", flush=True)
    growth = peaks[args.many] / peaks[args.few]
    missed = [f"memory grows {growth:.2f} times"] * (growth > MOST_GROWTH) + [f"{lost} texts lost"] * bool(
        lost
    )
    print(
        json.dumps(
            {"benchmark": "many_files", "peak_mb": peaks, "growth": round(growth, 3), "missed": missed}
        )
    )
    if args.check and missed:
        sys.exit(1)


def write(folder: Path, count: int) -> None:
    """So many of them."""
    folder.mkdir()
    sound = np.concatenate([audio.load(path, RATE) for path in audio.find(SAMPLES)])
    for number, begin in zip(range(count), cycle(range(0, len(sound) - LENGTH, LENGTH // 3)), strict=False):
        soundfile.write(folder / f"{number:05d}.wav", sound[begin : begin + LENGTH], RATE)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="digits-en", help="(%(default)s)")
    parser.add_argument("--few", type=int, default=500, help="recordings (%(default)s)")
    parser.add_argument("--many", type=int, default=10_000, help="recordings (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
