"""Claim: length buckets pad under 5 %, cost at most a tenth over sorted batches, and halve an epoch of random ones.

The lengths of real corpora (``--corpora`` or ASR_CORPORA: speechocean762's train part, AN4, part of LibriSpeech) in
batches of the default budget, epochs after the first. Sorted batches pad least, but utterances meet the same
neighbours in every epoch. AN4 is without the bar: so few utterances pad 5 % even when sorted. The time of an epoch is
modelled: training steps of the default network are timed at a few sizes, and a line is fitted to them.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _timing import Claim, Row, report

from asr import audio
from asr.acoustic import TorchAcousticModel
from asr.corpus.build import build
from asr.data import make_batches
from asr.features import FeatureSettings
from asr.models import ModelSettings
from asr.settings import DataSettings

EPOCHS = range(1, 6)
MAX_PADDING = 0.05
PADDED_LITTLE = ("speechocean762", "LibriSpeech")
CLAIMS = [Claim("ours", "sorted", 0.9), Claim("ours", "random", 1.7)]
NUM_SYMBOLS, LABELS_A_SECOND = 30, 12
SIZES = ((4, 2.0), (16, 2.0), (32, 2.0), (4, 8.0), (16, 8.0))
"""Utterances and seconds of the steps that are timed."""
DATA = DataSettings()

Batches = list[list[int]]
Strategy = Callable[[list[float], int], Batches]


def ours(durations: list[float], epoch: int) -> Batches:
    return make_batches(durations, DATA.batch_seconds, DATA.batch_utterances, seed=1, epoch=epoch)


def in_order(durations: list[float], epoch: int) -> Batches:
    return make_batches(
        durations, DATA.batch_seconds, DATA.batch_utterances, seed=1, epoch=epoch, shortest_first=True
    )


def at_random(durations: list[float], epoch: int) -> Batches:
    """The same budget, filled as the utterances come."""
    batches: Batches = [[]]
    for index in np.random.default_rng([1, epoch]).permutation(len(durations)).tolist():
        longest = max(durations[place] for place in [*batches[-1], index])
        if longest * (len(batches[-1]) + 1) > DATA.batch_seconds or len(batches[-1]) == DATA.batch_utterances:
            batches.append([])
        batches[-1].append(index)
    return batches


STRATEGIES: dict[str, Strategy] = {"ours": ours, "sorted": in_order, "random": at_random}


def speechocean762(corpora: Path) -> list[float]:
    folder = corpora / "speechocean762" / "train"
    return [one.duration for one in build(folder).utterances] if folder.is_dir() else []


def an4(corpora: Path) -> list[float]:
    """Features only: four bytes of header, then 13 floats a frame of 10 ms."""
    return [
        (path.stat().st_size - 4) / 52 / 100 for path in sorted((corpora / "an4").rglob("an4_clstk/*/*.mfc"))
    ]


def librispeech(corpora: Path) -> list[float]:
    """mp3 or flac, read from the headers."""
    return [audio.duration(path) for path in audio.find(corpora / "librispeech")]


CORPORA = {"speechocean762": speechocean762, "AN4": an4, "LibriSpeech": librispeech}


def padding(durations: list[float], batches: Batches) -> float:
    """The share of an epoch's seconds that are nobody's."""
    padded = sum(len(batch) * max(durations[index] for index in batch) for batch in batches)
    return 1 - sum(durations) / padded


def step_seconds(utterances: int, seconds: float, rounds: int) -> float:
    """A training step of the default network, the least of some rounds: others use this machine too."""
    torch.manual_seed(1)
    features = FeatureSettings()
    network = TorchAcousticModel(features, ModelSettings(), NUM_SYMBOLS).network.train()
    inputs = torch.randn(utterances, round(seconds * 100), features.num_features)
    lengths = torch.full((utterances,), inputs.shape[1])
    targets = torch.randint(1, NUM_SYMBOLS, (utterances, round(seconds * LABELS_A_SECOND)))
    target_lengths = torch.full((utterances,), targets.shape[1])
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        log_probs, out_lengths = network(inputs, lengths)
        torch.nn.functional.ctc_loss(
            log_probs.transpose(0, 1), targets, out_lengths, target_lengths
        ).backward()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def fit_time(rounds: int) -> tuple[float, float]:
    """Seconds that a step costs for every second of its longest utterance, and for every padded second."""
    measured = np.array([step_seconds(*size, rounds) for size in SIZES])
    parts = np.array([[seconds, utterances * seconds] for utterances, seconds in SIZES])
    # Relative errors count: a short step is as often taken as a long one.
    per_step, per_second = np.linalg.lstsq(parts / measured[:, None], np.ones(len(SIZES)), rcond=None)[0]
    return max(per_step, 0.0), per_second


def epoch_seconds(durations: list[float], batches: Batches, cost: tuple[float, float]) -> float:
    longest = [max(durations[index] for index in batch) for batch in batches]
    padded = sum(len(batch) * length for batch, length in zip(batches, longest, strict=True))
    return cost[0] * sum(longest) + cost[1] * padded


def time_report(corpus: str, durations: list[float], cost: tuple[float, float], check: bool) -> None:
    rows = []
    for name, strategy in STRATEGIES.items():
        epochs = [strategy(durations, epoch) for epoch in EPOCHS]
        seconds = statistics.mean(epoch_seconds(durations, batches, cost) for batches in epochs)
        waste = 100 * mean_padding(durations, strategy)
        note = f"{seconds:.0f} s an epoch, {len(epochs[0])} steps, {waste:.1f} % padding"
        rows.append(Row(name, 1 / seconds, note))
    title = f"{corpus}: {len(durations)} utterances, {sum(durations) / 3600:.2f} h; modelled epochs"
    report(title, rows, CLAIMS, check, "epochs per second")


def mean_padding(durations: list[float], strategy: Strategy) -> float:
    return statistics.mean(padding(durations, strategy(durations, epoch)) for epoch in EPOCHS)


def padding_report(corpora: dict[str, list[float]], check: bool) -> None:
    bar = Row(f"{100 * MAX_PADDING:g} % padding", 1 - MAX_PADDING)
    rows = [Row(f"ours, {name}", 1 - mean_padding(durations, ours)) for name, durations in corpora.items()]
    claims = [Claim(f"ours, {name}", bar.system, 1.0) for name in PADDED_LITTLE if name in corpora]
    report(
        f"Speech in a batch, epochs 1 to {len(EPOCHS)}", [bar, *rows], claims, check, "share of its seconds"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path, default=os.environ.get("ASR_CORPORA", "../shared/corpora"))
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each step (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a stated ratio is missed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    corpora = {name: durations for name, read in CORPORA.items() if (durations := read(args.corpora))}
    if not corpora:
        print(f"{args.corpora}: none of {', '.join(CORPORA)} is here; give --corpora.")
        sys.exit(int(args.check))
    cost = fit_time(args.rounds)
    print(f"a step: {1000 * cost[0]:.1f} ms a second of its longest, {1000 * cost[1]:.1f} ms a padded second")
    for name, durations in corpora.items():
        time_report(name, durations, cost, args.check)
    padding_report(corpora, args.check)


if __name__ == "__main__":
    main()
