"""The one place that knows how long things are after subsampling, and which positions are padding."""

from typing import Any

import torch
from torch import Tensor


def output_lengths(num_frames: Any, stride: int) -> Any:
    """Frames after subsampling by ``stride``: the ceiling of the quotient (an int or an integer tensor).

    Every convolution here is odd-sized and padded by half its size, so each rounds up, and rounding up twice
    is rounding up once.
    """
    return -(-num_frames // stride)


def valid_positions(lengths: Tensor, size: int) -> Tensor:
    """``(batch, size)`` booleans: true inside each length."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


def zero_padding(values: Tensor, lengths: Tensor) -> Tensor:
    """``values (batch, time, channel)`` with zeros at every position beyond its length."""
    return values * valid_positions(lengths, values.shape[1]).unsqueeze(-1).to(values.dtype)
