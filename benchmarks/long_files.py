"""Claim: a recording of three hours needs no more memory than one of ten minutes, and gives the text of a whole pass.

Whole `asr transcribe` processes and their peaks of resident memory; then, in one process, the words that differ between
windows and the whole recording heard at once (which for three hours takes gigabytes: --whole-hours bounds it). Both are
decoded in pieces that end in pauses, by the model's own decoder.
--corpora has LibriSpeech's recordings below it, which are joined in sorted order.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from _memory import peak_megabytes

import asr
from asr import audio
from asr.scoring import count_words
from asr.windows import WindowSettings

RATE = 16000
MOST_GROWTH, MOST_MEGABYTES, MOST_DIFFERING = 1.2, 1500.0, 0.002
HEARD_WHOLE = 1e9
"""Seconds of a window that nothing is longer than."""


def main() -> None:
    """A table of peaks, a table of windows, then one line of JSON."""
    args = _parse()
    logging.disable(logging.WARNING)  # which files are of a lower rate is not what this is about
    recordings = audio.find(args.corpora)
    if not recordings:
        print(f"{args.corpora}: no recordings to join; give --corpora", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        long, short = Path(name) / "long.wav", Path(name) / "ten-minutes.wav"
        write(long, recordings, args.hours * 3600)
        write(short, recordings, 600)
        peaks = {
            path.stem: peak_megabytes("transcribe", str(path), "-m", args.model, "-q")
            for path in (short, long)
        }
        base = peak_megabytes("--version")
        for stem, megabytes in peaks.items():
            print(f"{stem:12} peaks at {megabytes:.0f} MB, {megabytes - base:.0f} MB above `asr --version`")
        whole = Path(name) / "whole.wav"
        write(whole, recordings, min(args.hours, args.whole_hours) * 3600)
        sources = {"concatenation": whole} | ({"longform": args.longform} if args.longform else {})
        rows = list(differing(args, sources))
    growth = peaks["long"] / peaks["ten-minutes"]
    chosen = [row for row in rows if (row["window"], row["overlap"]) == (args.windows[0], args.overlaps[0])]
    missed = [
        f"{row['source']}: {row['share']:.2%} of the words differ"
        for row in chosen
        if row["share"] > MOST_DIFFERING
    ]
    missed += [f"memory grows {growth:.2f} times"] * (growth > MOST_GROWTH)
    missed += [f"{peaks['long']:.0f} MB"] * (peaks["long"] > MOST_MEGABYTES)
    result = {"benchmark": "long_files", "peak_mb": peaks, "growth": round(growth, 3), "windows": rows}
    print(json.dumps(result | {"missed": missed}))
    if args.check and missed:
        sys.exit(1)


def write(path: Path, recordings: list[Path], seconds: float) -> None:
    """So many seconds of recordings end to end, from the beginning again where they are too few."""
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16") as file:
        for recording in cycle(recordings):
            waveform = audio.load(recording, RATE)[:left]
            file.write((waveform * 32767).astype(np.int16))
            left -= len(waveform)
            if not left:
                return


def differing(args: argparse.Namespace, sources: dict[str, Path]) -> Iterator[dict[str, Any]]:
    """Words that windows of each kind change, of those of the whole pass."""
    recognizer = asr.load(args.model, device="cpu")
    for name, path in sources.items():
        recognizer.hearing.window_settings = WindowSettings(window=HEARD_WHOLE, piece=args.piece)
        whole = recognizer.transcribe(path).text
        for window in args.windows:
            for overlap in args.overlaps:
                settings = WindowSettings(window=window, overlap=overlap, piece=args.piece)
                recognizer.hearing.window_settings = settings
                counts = count_words(whole, recognizer.transcribe(path).text)
                share = counts.errors / max(counts.num_reference, 1)
                print(
                    f"{name:14} windows of {window:g} s, {overlap:g} s shared: {counts.errors} of "
                    f"{counts.num_reference} words differ ({share:.2%})",
                    flush=True,
                )
                yield {"source": name, "window": window, "overlap": overlap, "share": round(share, 5)}


def _parse() -> argparse.Namespace:
    chosen = WindowSettings()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="english-small", help="(%(default)s)")
    parser.add_argument(
        "--corpora",
        type=Path,
        default=Path(os.environ.get("ASR_CORPORA", "../shared/corpora")) / "librispeech",
        help="a folder of recordings to join (%(default)s)",
    )
    parser.add_argument("--longform", type=Path, help="one long recording more")
    parser.add_argument("--hours", type=float, default=3.0, help="of the long recording (%(default)s)")
    parser.add_argument("--whole-hours", type=float, default=3.0, help="heard at once at most (%(default)s)")
    parser.add_argument("--windows", type=float, nargs="+", default=[chosen.window], help="s (%(default)s)")
    parser.add_argument("--overlaps", type=float, nargs="+", default=[chosen.overlap], help="s (%(default)s)")
    parser.add_argument("--piece", type=float, default=chosen.piece, help="s (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
