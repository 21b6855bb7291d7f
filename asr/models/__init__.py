"""The acoustic models: convolutional subsampling, recurrent layers, and what stands on them."""

from asr.model_settings import ModelSettings
from asr.models.classifier import RecurrentClassifier
from asr.models.lengths import output_lengths
from asr.models.network import Encoder, RecurrentCTC

__all__ = [
    "NETWORKS",
    "Encoder",
    "ModelSettings",
    "RecurrentCTC",
    "RecurrentClassifier",
    "make_network",
    "output_lengths",
]

Network = RecurrentCTC | RecurrentClassifier

NETWORKS: dict[str, type[Network]] = {"ctc": RecurrentCTC, "classifier": RecurrentClassifier}
"""``model.kind`` to the network."""


def make_network(settings: ModelSettings, num_features: int, vocabulary_size: int) -> Network:
    """The network that the settings describe, with fresh weights."""
    return NETWORKS[settings.kind](settings, num_features, vocabulary_size)
