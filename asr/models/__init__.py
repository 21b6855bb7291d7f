"""The acoustic model: convolutional subsampling, recurrent layers, a CTC head, perhaps an attention decoder."""

from asr.model_settings import ModelSettings
from asr.models.lengths import output_lengths
from asr.models.network import RecurrentCTC
from asr.models.seq2seq import Seq2Seq

__all__ = ["ModelSettings", "RecurrentCTC", "Seq2Seq", "output_lengths"]
