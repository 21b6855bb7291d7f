"""Claim: a whole training step is 4 times as fast as with packed LSTMs at 500 recurrent frames, 7 times with bf16.

Both train one network on one batch: convolutions of stride 4, 3 x 256 two-directional LSTM, CTC, clipping, AdamW.
Ours is the package's. The peer is written as deepspeech.pytorch has it: batch norm between layers and packed
``nn.LSTM``. 16 utterances of half to all of the frames, one thread. At 250 frames the claims are 2.5 and 4;
bf16 is claimed where the processor has it.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable

import torch
from _timing import Claim, Row, arguments, interleave, report
from torch import Tensor, nn
from torch.nn.functional import ctc_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.models import ModelSettings
from asr.models.network import RecurrentCTC
from asr.models.subsampling import Subsampling
from asr.training.provenance import has_bf16

BATCH, FEATURES, SYMBOLS, LABELS_A_FRAME = 16, 39, 29, 0.3
SETTINGS = ModelSettings(num_layers=3, hidden_size=256, subsampling=4, dropout=0.0)
BARS = {500: (4.0, 7.0), 250: (2.5, 4.0)}
"""In float32 and with bf16, by recurrent frames."""


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


def training_step(network: nn.Module, num_frames: int, bf16: bool) -> Callable[[], None]:
    """Forward, loss, gradient, clipping, AdamW, on a batch that is the same for all."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.linspace(num_frames // 2, num_frames, BATCH).round().long() * SETTINGS.subsampling
    features = torch.randn(BATCH, int(lengths.max()), FEATURES, generator=generator)
    target_lengths = (lengths / SETTINGS.subsampling * LABELS_A_FRAME).long()
    targets = torch.randint(1, SYMBOLS, (BATCH, int(target_lengths.max())), generator=generator)
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


def main() -> None:
    args = arguments(__doc__.splitlines()[0], rounds=5)
    torch.set_num_threads(1)
    for num_frames, (float_bar, bf16_bar) in BARS.items():
        torch.manual_seed(1)
        systems = {
            "ours": training_step(RecurrentCTC(SETTINGS, FEATURES, SYMBOLS), num_frames, False),
            "packed": training_step(Packed(), num_frames, False),
        }
        claims = [Claim("ours", "packed", float_bar)]
        if has_bf16():
            systems["ours, bf16"] = training_step(RecurrentCTC(SETTINGS, FEATURES, SYMBOLS), num_frames, True)
            claims.append(Claim("ours, bf16", "packed", bf16_bar))
        seconds = interleave(systems, args.rounds)
        audio = BATCH * 0.75 * num_frames * SETTINGS.subsampling / 100
        rows = [Row(name, audio / seconds[name], f"{seconds[name]:.2f} s a step") for name in systems]
        title = f"Training step, {num_frames} recurrent frames, one thread"
        report(title, rows, claims, args.check, "audio-seconds per second")


if __name__ == "__main__":
    main()
