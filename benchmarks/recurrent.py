"""Claim: unpacked two-directional LSTM layers train at 4 times the speed of packed ones, and agree with them.

Three layers of 256 units a direction over 16 utterances of up to 500 frames, one thread: the recurrent part of
our default model. And a small GRU, of 110 units over 8 utterances of 70 frames, trains at 1.4 times the speed of
torch's own in the same arrangement; of the larger one nothing is claimed.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import copy
import functools
from collections.abc import Callable, Sequence

import torch
from _timing import Claim, Row, arguments, interleave, report
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.models.recurrent import RecurrentLayer

BATCH, FRAMES, WIDTH, LAYERS = 16, 500, 256, 3
CELLS = {"LSTM": nn.LSTM, "GRU": nn.GRU}
MAX_DIFFERENCE = 1e-5
SMALL = {"batch": 8, "frames": 70, "width": 110}
CLAIMS = [
    Claim("ours LSTM training step", "packed LSTM training step", 4.0),
    Claim("small GRU training step", "small GRU of torch's training step", 1.4),
]

Forward = Callable[[], Tensor]


def pair(cell: str, inputs: Tensor, lengths: Tensor) -> tuple[Forward, Forward]:
    """Ours and the packed one with the same weights."""
    packed = CELLS[cell](WIDTH, WIDTH, LAYERS, bidirectional=True, batch_first=True)
    widths = [WIDTH] + [2 * WIDTH] * (LAYERS - 1)
    layers = nn.ModuleList(RecurrentLayer(cell.lower(), width, WIDTH) for width in widths)
    copy_weights(packed, layers)

    def ours() -> Tensor:
        hidden = inputs
        for layer in layers:
            hidden = layer(hidden, lengths)
        return hidden

    def theirs() -> Tensor:
        packed_inputs = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(packed(packed_inputs)[0], batch_first=True)[0]

    return ours, theirs


def small_pair() -> tuple[Forward, Forward]:
    """Two-directional layers of our GRU, and of torch's with the same weights."""
    width = SMALL["width"]
    widths = [width] + [2 * width] * (LAYERS - 1)
    layers = [RecurrentLayer("gru", one, width) for one in widths]
    others = copy.deepcopy(layers)
    for layer in others:
        for name in ("ahead", "behind"):
            cell = getattr(layer, name)
            own = nn.GRU(cell.input_size, cell.hidden_size, batch_first=True)
            own.load_state_dict(cell.state_dict())
            setattr(layer, name, own)
    inputs = torch.randn(SMALL["batch"], SMALL["frames"], width)
    lengths = torch.full((SMALL["batch"],), SMALL["frames"])

    def forward(stack: Sequence[RecurrentLayer]) -> Tensor:
        return functools.reduce(lambda hidden, layer: layer(hidden, lengths), stack, inputs)

    return lambda: forward(layers), lambda: forward(others)


def copy_weights(packed: nn.Module, layers: nn.ModuleList) -> None:
    for number, layer in enumerate(layers):
        for direction, suffix in ((layer.ahead, ""), (layer.behind, "_reverse")):
            for name, weight in direction.named_parameters():
                source = name.replace("_l0", f"_l{number}{suffix}")
                weight.data.copy_(getattr(packed, source).data)


def training_step(forward: Forward) -> Callable[[], None]:
    return lambda: forward().square().mean().backward()


def without_gradient(forward: Forward) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with torch.inference_mode():
            return forward()

    return run


def main() -> None:
    args = arguments(__doc__, rounds=5)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    inputs = torch.randn(BATCH, FRAMES, WIDTH)
    lengths = torch.linspace(FRAMES // 2, FRAMES, BATCH).round().long()
    systems: dict[str, Callable[[], object]] = {}
    notes = {}
    for cell in CELLS:
        ours, theirs = pair(cell, inputs, lengths)
        difference = float((ours() - theirs()).detach().abs().max())
        for name, forward in (("ours", ours), ("packed", theirs)):
            systems[f"{name} {cell} training step"] = training_step(forward)
            systems[f"{name} {cell} forward"] = without_gradient(forward)
            same = "the same numbers" if difference < MAX_DIFFERENCE else "OTHER NUMBERS"
            notes[f"{name} {cell} training step"] = f"{same} ({difference:.0e})"
    frames = dict.fromkeys(systems, int(lengths.sum()))
    for name, forward in zip(("small GRU", "small GRU of torch's"), small_pair(), strict=True):
        systems[f"{name} training step"] = training_step(forward)
        frames[f"{name} training step"] = SMALL["batch"] * SMALL["frames"]
    seconds = interleave(systems, args.rounds)
    rows = [Row(name, frames[name] / seconds[name], notes.get(name, "")) for name in systems]
    report(f"{LAYERS} x {WIDTH} two-directional, one thread", rows, CLAIMS, args.check, "frames per second")


if __name__ == "__main__":
    main()
