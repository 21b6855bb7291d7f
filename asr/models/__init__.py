"""The acoustic model: convolutional subsampling, recurrent layers, a CTC head."""

from asr.models.lengths import output_lengths
from asr.models.network import ModelSettings, RecurrentCTC

__all__ = ["ModelSettings", "RecurrentCTC", "output_lengths"]
