"""Intervals: 10,000 bootstrap resamples of a test of 5,000 utterances, by counts, against those that align again.

    python benchmarks/scores.py

One resample of jiwer's takes as long as thousands of ours, so that each system makes a number of them that suits it,
and resamples a second are compared. All give the interval of the same rate.
"""

import sys
import time

import jiwer
import numpy as np
from _timing import Claim, Row, arguments, interleave, report
from scipy import stats

from asr import scoring

UTTERANCES, SAMPLES = 5000, 10_000
SECONDS = 0.5
"""That our resamples may take."""
FEW = {"jiwer": 1, "a loop": 500, "scipy": 1000}
"""Resamples of the others at a time."""
WORDS = (
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "you",
    "that",
    "it",
    "he",
    "was",
    "for",
    "on",
    "are",
    "as",
    "with",
)


def made_up() -> tuple[list[str], list[str]]:
    """References of 3 to 30 words, and what was heard: about one word in seven is another one."""
    rng = np.random.default_rng(5)
    said = [rng.choice(WORDS, size=length) for length in rng.integers(3, 31, UTTERANCES)]
    heard = [np.where(rng.random(len(line)) < 0.15, rng.choice(WORDS, size=len(line)), line) for line in said]
    return [" ".join(line) for line in said], [" ".join(line) for line in heard]


def main() -> None:
    args = arguments(__doc__.splitlines()[0], rounds=5)
    said, heard = made_up()
    counts = [scoring.count_words(*pair) for pair in zip(said, heard, strict=True)]
    errors, words = np.array([(one.errors, one.num_reference) for one in counts], float).T
    rng = np.random.default_rng(1)

    def with_jiwer() -> float:
        drawn = rng.integers(UTTERANCES, size=UTTERANCES)
        return float(jiwer.wer([said[index] for index in drawn], [heard[index] for index in drawn]))

    def with_a_loop() -> list[float]:
        rates = []
        for _ in range(FEW["a loop"]):
            drawn = rng.integers(UTTERANCES, size=UTTERANCES)
            rates.append(errors[drawn].sum() / words[drawn].sum())
        return rates

    def with_scipy() -> object:
        return stats.bootstrap(
            (errors, words),
            lambda wrong, of, axis: wrong.sum(axis) / of.sum(axis),
            n_resamples=FEW["scipy"],
            batch=100,
            paired=True,
            vectorized=True,
            method="percentile",
        ).confidence_interval

    systems = {
        "counts": lambda: scoring.interval(counts, num_samples=SAMPLES),
        "scipy": with_scipy,
        "a loop": with_a_loop,
        "jiwer": with_jiwer,
    }
    ours, theirs = systems["counts"](), with_scipy()
    if max(abs(ours.low - theirs.low), abs(ours.high - theirs.high)) > 0.002:
        sys.exit(f"the intervals differ: {ours} and {theirs}: nothing to compare")
    # Of the processor, as all of them take one core.
    seconds = interleave(systems, args.rounds, warm_up=0, clock=time.process_time)
    numbers = {"counts": SAMPLES, **FEW}
    notes = {"counts": f"{SAMPLES} in {seconds['counts']:.2f} s"}
    notes["jiwer"] = f"{SAMPLES} would take {SAMPLES * seconds['jiwer'] / 60:.0f} minutes"
    rows = [Row(name, numbers[name] / time, notes.get(name, "")) for name, time in seconds.items()]
    rows.append(Row("claim", SAMPLES / SECONDS, f"{SAMPLES} in {SECONDS:g} s"))
    claims = [Claim("counts", "jiwer", 2000), Claim("counts", "scipy", 1.5), Claim("counts", "claim", 1.0)]
    report(f"Bootstrap over {UTTERANCES} utterances", rows, claims, args.check, unit="resamples per second")


if __name__ == "__main__":
    main()
