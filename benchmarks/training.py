"""Claim: a whole training step is 4 times as fast as with packed LSTMs at 500 recurrent frames, 7 times with bf16.

Both train one network on one batch: convolutions of stride 4, 3 x 256 two-directional LSTM, CTC, clipping, AdamW.
Ours is the package's. The peer is written as deepspeech.pytorch has it: batch norm between layers and packed
``nn.LSTM``. 16 utterances of half to all of the frames, one thread. At 250 frames the claims are 2.5 and 4;
bf16 is claimed where the processor has it. What the time of our step goes into follows.

With --manifests (data/an4/train.jsonl data/speechocean762/train.jsonl) steps of their own lengths are measured too: of
the batch of the middle, as training makes batches, without a claim.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from _timing import Claim, Row, arguments, interleave, report
from torch import Tensor, nn
from torch.autograd.profiler_util import FunctionEventAvg
from torch.nn.functional import ctc_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.profiler import ProfilerActivity, profile

from asr.data import make_batches
from asr.manifest import read_manifest
from asr.models import ModelSettings
from asr.models.network import RecurrentCTC
from asr.models.subsampling import Subsampling
from asr.training.provenance import has_bf16

BATCH, FEATURES, SYMBOLS, LABELS_A_FRAME = 16, 39, 29, 0.3
SETTINGS = ModelSettings(num_layers=3, hidden_size=256, subsampling=4, dropout=0.0)
BARS = {500: (4.0, 7.0), 250: (2.5, 4.0)}
"""In float32 and with bf16, by recurrent frames."""
PARTS = {"recurrent layers": "rnn", "convolutions": "convolution", "CTC loss": "ctc"}
"""What the time goes into, by what the names of torch's operators hold."""


class Packed(nn.Module):
    """The peer: batch norm over all frames of a batch, packed recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        width, hidden = SETTINGS.num_channels, SETTINGS.hidden_size
        self.subsampling = Subsampling(FEATURES, width, SETTINGS.subsampling, SETTINGS.kernel_size, 0.0)
        widths = [width] + [2 * hidden] * (SETTINGS.num_layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(n, hidden, bidirectional=True, batch_first=True) for n in widths)
        self.norms = nn.ModuleList(nn.BatchNorm1d(2 * hidden) for _ in widths)
        self.head = nn.Linear(2 * hidden, SYMBOLS)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        hidden, lengths = self.subsampling(features, lengths)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            packed = pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
            hidden = pad_packed_sequence(layer(packed)[0], batch_first=True)[0]
            hidden = norm(hidden.flatten(0, 1)).view_as(hidden)
        return self.head(hidden).float().log_softmax(dim=-1), lengths


def training_step(network: nn.Module, lengths: Tensor, bf16: bool) -> Callable[[], None]:
    """Forward, loss, gradient, clipping, AdamW, on a batch of ``lengths`` frames that is the same for all."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(len(lengths), int(lengths.max()), FEATURES, generator=generator)
    target_lengths = (lengths / SETTINGS.subsampling * LABELS_A_FRAME).long()
    targets = torch.randint(1, SYMBOLS, (len(lengths), int(target_lengths.max())), generator=generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            log_probs, output_lengths = network(features, lengths)
        loss = ctc_loss(log_probs.transpose(0, 1), targets, output_lengths, target_lengths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()

    return step


def even(num_frames: int) -> Tensor:
    """Lengths in features of a batch that is subsampled to half to all of ``num_frames``."""
    return torch.linspace(num_frames // 2, num_frames, BATCH).round().long() * SETTINGS.subsampling


def own(manifest: Path) -> Tensor:
    """Lengths in features of the batch whose longest utterance is the middle one of all batches'."""
    durations = [utterance.duration for utterance in read_manifest(manifest)]
    batches = make_batches(durations, 1e9, BATCH, seed=1, epoch=1)
    middle = sorted(batches, key=lambda batch: max(durations[i] for i in batch))[len(batches) // 2]
    return torch.tensor([round(100 * durations[index]) for index in middle])


def contest(title: str, lengths: Tensor, bars: Sequence[float], args: argparse.Namespace) -> None:
    """A table, and a claim for each of the bars: in float32, and with bf16 where there is any."""
    torch.manual_seed(1)
    ours = {"ours": training_step(RecurrentCTC(SETTINGS, FEATURES, SYMBOLS), lengths, False)}
    if has_bf16():
        ours["ours, bf16"] = training_step(RecurrentCTC(SETTINGS, FEATURES, SYMBOLS), lengths, True)
    seconds = interleave(ours | {"packed": training_step(Packed(), lengths, False)}, args.rounds)
    audio = float(lengths.sum()) / 100
    rows = [Row(name, audio / taken, f"{taken:.2f} s a step") for name, taken in seconds.items()]
    claims = [Claim(name, "packed", bar) for name, bar in zip(ours, bars, strict=False)]
    report(f"Training step, {title}, one thread", rows, claims, args.check, "audio-seconds per second")


def print_shares(lengths: Tensor, bf16: bool) -> None:
    """Where the processor's time of our step goes, in percent."""
    torch.manual_seed(1)
    step = training_step(RecurrentCTC(SETTINGS, FEATURES, SYMBOLS), lengths, bf16)
    step()
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
        step()
    taken: Counter[str] = Counter()
    for event in profiler.key_averages():
        taken[_part(event)] += event.self_cpu_time_total
    shares = {part: round(100 * time / taken.total(), 1) for part, time in taken.most_common()}
    print(
        "Our step" + (", bf16" if bf16 else ""),
        *(f"{part} {share} %" for part, share in shares.items()),
        sep="  ",
    )
    print(json.dumps({"benchmark": "shares of a training step", "bf16": bf16, "percent": shares}))


def _part(event: FunctionEventAvg) -> str:
    name = event.key.lower()
    return next((part for part, mark in PARTS.items() if mark in name), "clipping, AdamW and the rest")


def main() -> None:
    """Tables, each with a line of JSON."""
    args = arguments(__doc__.splitlines()[0], 5, _add_manifests)
    torch.set_num_threads(1)
    for num_frames, bars in BARS.items():
        contest(f"{num_frames} recurrent frames", even(num_frames), bars, args)
    for manifest in args.manifests:
        lengths = own(manifest)
        contest(f"{manifest}, {int(lengths.max()) // SETTINGS.subsampling} frames", lengths, (), args)
    for bf16 in (False, True)[: 1 + has_bf16()]:
        print_shares(even(500), bf16)


def _add_manifests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--manifests", type=Path, nargs="+", default=[], help="corpora with lengths of their own"
    )


if __name__ == "__main__":
    main()
