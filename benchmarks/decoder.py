"""Claim: with a word 3-gram 30x pyctcdecode, 10x ctc-beam-decoder, 5x tuned and 40x default flashlight, no worse.

One run, one core, the same emissions, the same 3-gram, CPU time. Half of the utterances tune, the others measure:

    weights   alpha and beta (and the price of an unknown word, where there is one) by WER at width 64
    pruning   the fastest setting whose WER is within 0.1 points, or 0.5 %, of the best of that system's

The rule is one for all; pyctcdecode takes what was found for its C++ clone, and "flashlight default" keeps the
pruning that flashlight comes with. WER is no worse than the best peer's unless the 95 % interval of the paired
bootstrap lies above zero. Without a language model the peer is fast-ctc-decoder, in Rust.

The peers are installed into an environment of their own (--venv). Sentences come from LJ Speech and LibriSpeech
(--corpora or ASR_CORPORA); without them only AN4's stored emissions are decoded. With a model of recipes/librispeech
(--librispeech) the emissions that it makes of unheard speakers are a fourth set. Half an hour; --quick takes 3 minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import _librispeech
import _peers
from _contest import FULL, QUICK, Contest, Sizes
from _emissions import EmissionSet, read_sentences, stored, synthetic

ROOT = Path(__file__).parents[1]
FRAMES = {"t250": 250, "t1000": 1000}
PARTS = (*FRAMES, "an4", "librispeech", "plain", "options", "start")


def main() -> None:
    args = parse_arguments()
    _peers.enter(args.venv)
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(QUICK if args.quick else FULL, set(args.sets), Path(folder))
        for emissions in emission_sets(args, contest.sizes):
            contest.run(emissions)
    if "start" in args.sets:
        print_start()
    finish(contest, args.check)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    corpora = Path(os.environ.get("ASR_CORPORA", ROOT / "../shared/corpora"))
    parser.add_argument("--venv", type=Path, default=_peers.FOLDER, help="the peers' own (%(default)s)")
    parser.add_argument("--corpora", type=Path, default=corpora, help="with ljspeech/ and librispeech/")
    parser.add_argument("--librispeech", default="runs/librispeech/seed1", help="a model of it (%(default)s)")
    parser.add_argument(
        "--data", type=Path, default=Path("data/librispeech"), help="its manifests (%(default)s)"
    )
    parser.add_argument("--sets", nargs="+", choices=PARTS, default=PARTS, help="what to measure (all)")
    parser.add_argument("--quick", action="store_true", help="few utterances: to see that it runs")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 when a claim is missed or unmeasured"
    )
    return parser.parse_args()


def emission_sets(args: argparse.Namespace, sizes: Sizes) -> Iterator[EmissionSet]:
    """One at a time: they are large."""
    if (args.corpora / "ljspeech").is_dir():
        sentences = read_sentences(args.corpora)
        for name in [name for name in FRAMES if name in args.sets or "plain" in args.sets]:
            yield synthetic(name, sentences, FRAMES[name], sizes.half)
    else:
        print(f"{args.corpora}: no ljspeech/ in it, so there are no sentences for synthetic emissions")
    if "an4" in args.sets:
        yield stored()
    if "librispeech" in args.sets and Path(args.librispeech).is_dir():
        yield _librispeech.emit(args.librispeech, args.data, args.corpora)
    elif "librispeech" in args.sets:
        print(f"{args.librispeech}: no such model (python recipes/librispeech/run.py trains it)")


def print_start() -> None:
    """What the first decoding of all costs, and the first one of every later process."""
    script = (
        "import time; start = time.perf_counter()\n"
        "from asr.decoding import BeamDecoder; BeamDecoder().warm_up()\n"
        "print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        for what in ("first start, compiling", "later starts, from the cache"):
            done = subprocess.run(
                [sys.executable, "-c", script], env=environment, capture_output=True, text=True
            )
            print(f"{what:30} {float(done.stdout):.2f} s")


def finish(contest: Contest, check: bool) -> None:
    """The claims, a line of JSON, the exit code."""
    print("\nclaims")
    for claim, figure, met in contest.verdicts:
        print(f"{'met   ' if met else 'MISSED'}  {claim:58} {figure}")
    missed = [verdict.claim for verdict in contest.verdicts if not verdict.met]
    verdicts = {verdict.claim: verdict.figure for verdict in contest.verdicts}
    print(json.dumps({"benchmark": "decoder", "rows": contest.rows, "claims": verdicts, "missed": missed}))
    if check and (missed or not verdicts):
        sys.exit(1)


if __name__ == "__main__":
    main()
