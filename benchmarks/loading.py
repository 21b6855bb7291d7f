"""Claim: 44.1 kHz stereo becomes 16 kHz mono four times as fast as with librosa.load, which resamples no better.

The same 30 seconds of a gliding tone in noise as wav and flac, one thread.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
from pathlib import Path

import librosa
import numpy as np
import soundfile
from _timing import Claim, Row, arguments, interleave, report

from asr import audio

SECONDS, RECORDED, WANTED = 30, 44100, 16000


def main() -> None:
    args = arguments(__doc__.splitlines()[0], rounds=15)
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: write(Path(folder) / f"stereo.{kind}") for kind in ("wav", "flac")}
        systems = {}
        for kind, path in paths.items():
            systems[f"asr.audio.load {kind}"] = lambda path=path: audio.load(path, WANTED)
            systems[f"librosa.load {kind}"] = lambda path=path: librosa.load(path, sr=WANTED)
        seconds = interleave(systems, args.rounds)
    rows = [Row(name, SECONDS / time) for name, time in seconds.items()]
    claims = [Claim("asr.audio.load wav", "librosa.load wav", 4.0)]
    report("44.1 kHz stereo to 16 kHz mono", rows, claims, args.check, unit="audio-seconds per second")


def write(path: Path) -> Path:
    time = np.arange(SECONDS * RECORDED) / RECORDED
    glide = 0.3 * np.sin(2 * np.pi * (200 + 20 * time) * time)
    noise = np.random.default_rng(0).normal(0, 0.05, (len(time), 2))
    soundfile.write(path, (glide[:, None] + noise).astype(np.float32), RECORDED, subtype="PCM_16")
    return path


if __name__ == "__main__":
    main()
