"""Claim: `asr transcribe` on one 3-second file takes at most 1.5 s more than `python -c "import torch"`.

And with an exported model, greedily, less than 1 s altogether; with its beam it takes what it takes to load numba.

Whole processes, interleaved, of bytecode as pip leaves it. Cold is the first run after the page cache was asked to
forget the environment's files (Linux, no privileges needed); warm is every later one.
"""

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import asr
from asr.export import export

MOST_SECONDS_OVER_TORCH = 1.5
MOST_SECONDS_EXPORTED = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="warm runs of each (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when the stated time is missed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = write_recording(Path(folder) / "three-seconds.wav")
        compileall.compile_dir(Path(asr.__file__).parent, quiet=2)
        transcribe = [sys.executable, "-m", "asr", "transcribe", str(recording), "-q"]
        commands = {
            "import torch": [sys.executable, "-c", "import torch"],
            "digits-en": [*transcribe, "-m", "digits-en"],
        }
        for name in ("digits-en", "english-small"):
            model = Path(folder) / f"{name}.onnx"
            export(name, model, int8=True)
            greedy = [*transcribe, "-m", str(model), "--decoder", "greedy"]
            commands[f"{name}, exported"] = greedy
        commands["the same with its beam"] = [*transcribe, "-m", str(model)]
        for command in commands.values():
            run(command)
        cold = {name: run_cold(command) for name, command in commands.items()}
        warm = {name: statistics.median(times) for name, times in interleave(commands, args.rounds).items()}
    print(f"{'whole process, seconds':26}{'cold':>8}{'warm':>8}")
    for name in commands:
        print(f"{name:26}{cold[name]:8.2f}{warm[name]:8.2f}")
    kinds = {"cold": cold, "warm": warm}
    over = {kind: took["digits-en"] - took["import torch"] for kind, took in kinds.items()}
    print(f"{'digits-en over torch':26}{over['cold']:8.2f}{over['warm']:8.2f}")
    missed = [kind for kind, seconds in over.items() if seconds > MOST_SECONDS_OVER_TORCH]
    missed += [
        f"{name}, {kind}"
        for kind, took in kinds.items()
        for name, seconds in took.items()
        if name.endswith("exported") and seconds > MOST_SECONDS_EXPORTED
    ]
    figures = {"seconds": {kind: rounded(took) for kind, took in kinds.items()}, "over_torch": rounded(over)}
    print(json.dumps({"benchmark": "startup", **figures, "missed": missed}))
    if args.check and missed:
        sys.exit(1)


def rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {kind: round(value, 3) for kind, value in seconds.items()}


def write_recording(path: Path) -> Path:
    time_axis = np.arange(3 * 16000) / 16000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 220 * time_axis) * np.sin(2 * np.pi * time_axis), 16000)
    return path


def run_cold(command: list[str]) -> float:
    forget(Path(sysconfig.get_path("purelib")))
    return run(command)


def forget(folder: Path) -> None:
    """Ask the kernel to drop a folder's pages; where it cannot be asked, cold is only the first run."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def interleave(commands: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(run(command))
    return times


def run(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
