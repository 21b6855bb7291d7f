"""A recurrent layer over padded batches that gives the packed answer without packing.

On a CPU a packed two-directional LSTM leaves oneDNN's fast path and trains about five times slower. Two
padded one-directional layers, the second on each sequence reversed within its own length, give the same
numbers: the forward direction never sees the padding behind it, and reversed so, neither does the other.
"""

from typing import Any

import torch
from torch import Tensor, nn

from asr.models.gru import GRU
from asr.models.lengths import zero_padding


class RecurrentLayer(nn.Module):
    """A layer of a plain RNN (Elman 1990), LSTM (Hochreiter, Schmidhuber 1997) or GRU (Cho et al. 2014)."""

    def __init__(self, cell: str, num_inputs: int, hidden_size: int, bidirectional: bool = True):
        super().__init__()
        self.ahead = _one_direction(cell, num_inputs, hidden_size)
        self.behind = _one_direction(cell, num_inputs, hidden_size) if bidirectional else None
        self.num_outputs = hidden_size * (2 if bidirectional else 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, time, num_inputs)`` to ``(batch, time, num_outputs)``, zeros beyond each length."""
        outputs: Tensor = self.ahead(inputs)[0]
        if self.behind is not None:
            order = reversal(lengths, inputs.shape[1])
            backwards: Tensor = self.behind(_reorder(inputs, order))[0]
            outputs = torch.cat([outputs, _reorder(backwards, order)], dim=-1)
        return zero_padding(outputs, lengths)


def reversal(lengths: Tensor, size: int) -> Tensor:
    """``(batch, size)`` positions that reverse each sequence within its length and leave its padding alone.

    Example: lengths [3], size 5 -> [[2, 1, 0, 3, 4]]
    """
    positions = torch.arange(size, device=lengths.device).expand(len(lengths), -1)
    mirrored = lengths.unsqueeze(1) - 1 - positions
    return torch.where(mirrored >= 0, mirrored, positions)


def _reorder(values: Tensor, order: Tensor) -> Tensor:
    return values.gather(1, order.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def _one_direction(cell: str, num_inputs: int, hidden_size: int) -> nn.Module:
    options: dict[str, Any] = {"batch_first": True}
    if cell == "lstm":
        layer: nn.Module = nn.LSTM(num_inputs, hidden_size, **options)
        _remember_by_default(layer, hidden_size)
        return layer
    if cell == "gru":
        return GRU(num_inputs, hidden_size, **options)
    return nn.RNN(num_inputs, hidden_size, nonlinearity=cell.removeprefix("rnn_"), **options)


def _remember_by_default(lstm: nn.Module, hidden_size: int) -> None:
    """Forget-gate bias 1 at the start (Jozefowicz et al. 2015); torch adds two biases, so one carries it."""
    with torch.no_grad():
        for name, bias in lstm.named_parameters():
            if name.startswith("bias"):
                bias[hidden_size : 2 * hidden_size] = 1.0 if name.startswith("bias_ih") else 0.0
