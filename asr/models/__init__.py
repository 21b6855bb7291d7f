"""The acoustic model: convolutional subsampling, recurrent layers, a CTC head."""

from asr.model_settings import ModelSettings
from asr.models.lengths import output_lengths
from asr.models.network import RecurrentCTC

__all__ = ["ModelSettings", "RecurrentCTC", "output_lengths"]
