"""Claim: with trainer.chunk_seconds, a step on a five-minute recording takes about the memory of a step on one chunk.

The step of `asr train --dry-run` with model=lstm_streaming, each in a process of its own: one recording of noise with
fifteen characters of text a second, whole and in chunks. Memory is by how much that process grows. Linux only.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console

from asr.config import compose
from asr.manifest import Utterance, write_manifest
from asr.training import dry_run

RATE = 16000
CHARACTERS_A_SECOND = 15
MOST_GROWTH, LEAST_SAVED = 2.5, 5.0
"""Of the longest over one chunk, both in chunks; and whole over in chunks."""


def main() -> None:
    """A table, then one line of JSON."""
    args = _parse()
    lengths = sorted({args.chunk, *args.lengths})
    with tempfile.TemporaryDirectory() as name:
        dry(write(Path(name), 1.0), 0.5)  # what loads late is loaded before processes are forked
        print(f"{'seconds':>8} {'whole MB':>9} {'s':>9} {'chunks MB':>10} {'s':>9}")
        rows = []
        for seconds in lengths:
            manifest = write(Path(name), seconds)
            (whole, slow), (chunked, again) = step(manifest, 0.0), step(manifest, args.chunk)
            row = {
                "seconds": seconds,
                "whole_mb": megabytes(whole),
                "chunks_mb": megabytes(chunked),
            }
            rows.append(row | {"whole_s": round(slow, 2), "chunks_s": round(again, 2)})
            print(
                f"{seconds:8g} {row['whole_mb']:9.0f} {slow:9.2f} {row['chunks_mb']:10.0f} {again:9.2f}",
                flush=True,
            )
    one = next(row for row in rows if row["seconds"] == args.chunk)
    growth, saved = rows[-1]["chunks_mb"] / one["chunks_mb"], rows[-1]["whole_mb"] / rows[-1]["chunks_mb"]
    missed = [f"memory grows {growth:.2f} times"] * (growth > MOST_GROWTH)
    missed += [f"only {saved:.2f} times less than whole"] * (saved < LEAST_SAVED)
    result = {"benchmark": "long_training", "chunk": args.chunk, "rows": rows, "growth": round(growth, 3)}
    print(json.dumps(result | {"saved": round(saved, 2), "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def write(folder: Path, seconds: float) -> Path:
    """A manifest of one recording."""
    rng = np.random.default_rng(1)
    path = folder / f"{seconds:g}.wav"
    soundfile.write(path, rng.normal(0, 0.1, round(seconds * RATE)), RATE)
    text = "".join(rng.choice(list("etaoinshrdlu "), round(seconds * CHARACTERS_A_SECOND)))
    manifest = path.with_suffix(".jsonl")
    write_manifest(manifest, [Utterance(str(path), seconds, " ".join(text.split()))])
    return manifest


def step(manifest: Path, chunk: float) -> tuple[int, float]:
    """Bytes that a process of its own grows by at most, and its seconds."""
    fork = multiprocessing.get_context("fork")
    receive, send = fork.Pipe(duplex=False)

    def work() -> None:
        before = kilobytes("VmRSS")
        seconds = dry(manifest, chunk)
        send.send((1024 * (kilobytes("VmHWM") - before), seconds))

    process = fork.Process(target=work)
    process.start()
    send.close()
    try:
        found: tuple[int, float] = receive.recv()
    except EOFError:
        sys.exit(f"a step on {manifest.name} failed")
    process.join()
    return found


def dry(manifest: Path, chunk: float) -> float:
    """Seconds of processor time for one step and what comes before it."""
    overrides = [
        *(
            "model=lstm_streaming",
            f"data.train={manifest}",
            f"data.dev={manifest}",
            "data.batch_seconds=1000",
        ),
        *("trainer.threads=1", "trainer.device=cpu", f"trainer.chunk_seconds={chunk}"),
    ]
    start = time.process_time()
    dry_run(compose(overrides), console=Console(quiet=True))
    return time.process_time() - start


def kilobytes(key: str) -> int:
    """What the kernel says of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def megabytes(count: int) -> float:
    return round(count / 1e6, 1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunk", type=float, default=15.0, help="seconds (%(default)s)")
    parser.add_argument(
        "--lengths", type=float, nargs="+", default=[60.0, 300.0], help="seconds (%(default)s)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
