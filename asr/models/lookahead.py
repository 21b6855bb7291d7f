"""A few frames of the future for layers that hear forwards only: the row convolution of Deep Speech 2."""

import torch
from torch import Tensor, nn

from asr.models.lengths import zero_padding


class Lookahead(nn.Module):
    """Each unit's weighted sum of its own now and its next ``num_ahead`` frames (Amodei et al. 2016, section 3.7)."""

    def __init__(self, width: int, num_ahead: int):
        super().__init__()
        self.num_ahead = num_ahead
        self.convolution = nn.Conv1d(width, width, num_ahead + 1, groups=width, bias=False)
        with torch.no_grad():
            # It begins by passing on what it hears now, so that the layers below learn from the first step.
            self.convolution.weight[..., 0] += 1.0

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, time, width)`` to the same shape; beyond its length an utterance is zeros."""
        silent = nn.functional.pad(zero_padding(inputs, lengths).transpose(1, 2), (0, self.num_ahead))
        outputs: Tensor = self.convolution(silent).transpose(1, 2)
        return outputs
