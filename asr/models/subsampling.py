"""Convolutions that shorten time before the recurrent layers, where time is expensive."""

import math

from torch import Tensor, nn

from asr.model_settings import STRIDES
from asr.models.lengths import output_lengths, zero_padding


def reach(factor: int, kernel_size: int) -> int:
    """Frames on each side of its own that an output of ``Subsampling`` hears."""
    strides = STRIDES[factor]
    return sum(kernel_size // 2 * math.prod(strides[:place]) for place in range(len(strides)))


class Subsampling(nn.Module):
    """Convolutions over time, each with layer norm and GELU; padding never leaks into speech."""

    def __init__(self, num_features: int, num_channels: int, factor: int, kernel_size: int, dropout: float):
        super().__init__()
        self.factor, self.reach = factor, reach(factor, kernel_size)
        self.strides = STRIDES[factor]
        inputs = [num_features] + [num_channels] * (len(self.strides) - 1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, num_channels, kernel_size, stride, padding=kernel_size // 2)
            for width, stride in zip(inputs, self.strides, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(num_channels) for _ in self.strides)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, time, feature)`` to ``(batch, ceil(time / factor), channel)``, with the new lengths."""
        for stride, convolution, norm in zip(self.strides, self.convolutions, self.norms, strict=True):
            # The kernel reaches over the end: there must lie the zeros that a lone utterance would see.
            features = zero_padding(features, lengths)
            features = convolution(features.transpose(1, 2)).transpose(1, 2)  # (batch, time, channel)
            features = self.dropout(self.activation(norm(features)))
            lengths = output_lengths(lengths, stride)
        return features, lengths
