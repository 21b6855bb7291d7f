"""Networks of like size: how many units make so many parameters."""

import dataclasses

import torch

from asr.errors import ConfigError
from asr.model_settings import ModelSettings
from asr.models.network import RecurrentCTC


def num_parameters(settings: ModelSettings, num_features: int, vocabulary_size: int) -> int:
    """Of a network that is not built: on torch's meta device it takes no memory."""
    with torch.device("meta"):
        network = RecurrentCTC(settings, num_features, vocabulary_size)
    return sum(weight.numel() for weight in network.parameters())


def nearest_in_size(
    settings: ModelSettings, num_features: int, vocabulary_size: int, parameters: int
) -> ModelSettings:
    """The settings with the ``hidden_size`` that comes nearest to a number of parameters.

    Raises:
        ConfigError: one unit is more.
    """

    def size(units: int) -> int:
        return num_parameters(dataclasses.replace(settings, hidden_size=units), num_features, vocabulary_size)

    below, above = 1, 2
    if size(below) > parameters:
        raise ConfigError(
            f"{parameters} parameters: with one unit a layer the network has {size(below)}; "
            "take more, fewer layers or smaller model.num_channels."
        )
    while size(above) <= parameters:
        below, above = above, 2 * above
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if size(middle) <= parameters else (below, middle)
    units = min((below, above), key=lambda units: abs(size(units) - parameters))
    return dataclasses.replace(settings, hidden_size=units)
