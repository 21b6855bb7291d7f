"""The acoustic models: convolutional subsampling, recurrent layers, and what stands on them."""

from asr.model_settings import ModelSettings
from asr.models.classifier import RecurrentClassifier
from asr.models.lengths import output_lengths
from asr.models.network import Encoder, RecurrentCTC
from asr.models.seq2seq import Seq2Seq

__all__ = ["Encoder", "ModelSettings", "RecurrentCTC", "RecurrentClassifier", "Seq2Seq", "output_lengths"]
