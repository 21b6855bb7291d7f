"""A look into the trained networks of the grid: how far they remember, what their gates do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from grid import Grid, Result
from torch import Tensor

from asr import checkpoint
from asr.acoustic import TorchAcousticModel
from asr.checkpoint import Model
from asr.inputs import load_input
from asr.inspection import Gates, Memory, gates_by_layer, measure_memory
from asr.manifest import Utterance, read_manifest

_NUM_UTTERANCES = 6
_MOST_SECONDS = 8.0


@dataclass(frozen=True)
class Study:
    """One network."""

    result: Result
    untrained: Memory
    """Of the same network with the weights that a training begins with."""
    trained: Memory
    gates: Sequence[Gates]
    """Of each layer the direction that hears forwards, over ``utterance``."""
    utterance: Utterance
    frame_seconds: float

    @property
    def name(self) -> str:
        """In plots."""
        return str(self.result.member)


def study(grid: Grid, results: Sequence[Result], dev: Path) -> list[Study]:
    """Those of ``grid.studied_layers``, their first seed, over the longest dev utterances below eight seconds."""
    chosen = [one for one in results if one.member.layers == grid.studied_layers and one.member.clipped]
    utterances = [one for one in read_manifest(dev) if one.duration < _MOST_SECONDS]
    longest = sorted(utterances, key=lambda one: -one.duration)[:_NUM_UTTERANCES]
    return [_study(one, longest) for one in chosen]


def _study(result: Result, utterances: Sequence[Utterance]) -> Study:
    model = checkpoint.load(result.model_dirs[0])
    features = [_features(model, one) for one in utterances]
    torch.manual_seed(1)
    new = TorchAcousticModel(model.settings.features, model.settings.model, len(model.vocabulary))
    network = model.acoustic.network
    return Study(
        result,
        measure_memory(new.network, features),
        measure_memory(network, features),
        [directions[0] for directions in gates_by_layer(network, features[0])],
        utterances[0],
        model.acoustic.frame_seconds,
    )


def _features(model: Model, utterance: Utterance) -> Tensor:
    acoustic = model.acoustic
    with torch.no_grad():
        return acoustic.front_end.extract(load_input(utterance, acoustic.sample_rate, acoustic.num_static))
