"""Gates, which torch's layers keep to themselves: computed again from their weights, frame by frame."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asr.models import RecurrentCTC
from asr.models.recurrent import RecurrentLayer

Step = Callable[[Tensor, Tensor, Any], tuple[Any, dict[str, Tensor]]]
"""What the inputs give, what the state gives, the state: to the next state, and its gates."""


@dataclass(frozen=True)
class Gates:
    """One direction of a layer over one utterance; frames in the order of time, whichever way it hears."""

    activity: dict[str, NDArray[np.float32]]
    """``(time, units)`` in [0, 1]: input, forget and output, or reset and update; a plain RNN has none."""
    hidden: NDArray[np.float32]
    """``(time, units)``, what the layer puts out."""

    @property
    def keeping(self) -> NDArray[np.float32] | None:
        """How much of a unit's content a frame leaves as it was: an LSTM's forget gate, a GRU's update gate."""
        return self.activity.get("forget", self.activity.get("update"))


@torch.no_grad()
def gates(direction: nn.Module, inputs: Tensor) -> Gates:
    """Of a torch LSTM, GRU or RNN of one layer, for inputs ``(time, num_inputs)``, heard from the first on."""
    weights: Any = direction
    step = _STEPS[weights.mode]
    from_inputs = nn.functional.linear(inputs, weights.weight_ih_l0, weights.bias_ih_l0)
    state: Any = inputs.new_zeros(2, weights.hidden_size)  # hidden, and the cell where there is one
    hidden, found = [], []
    for row in from_inputs:
        recurrent = nn.functional.linear(state[0], weights.weight_hh_l0, weights.bias_hh_l0)
        state, opened = step(row, recurrent, state)
        hidden.append(state[0])
        found.append(opened)
    activity = {name: torch.stack([one[name] for one in found]).numpy() for name in found[0]}
    return Gates(activity, torch.stack(hidden).numpy())


@torch.no_grad()
def gates_by_layer(network: RecurrentCTC, features: Tensor) -> list[list[Gates]]:
    """Of each layer its directions, the one that hears forwards first, for features ``(time, num_features)``."""
    lengths = torch.tensor([len(features)])
    found = []
    blocks: list[Any] = list(network.blocks)
    with evaluated(network):
        hidden, lengths = network.subsampling(features.unsqueeze(0), lengths)
        for block in blocks:
            found.append(_directions(block.layer, hidden[0]))
            hidden = block(hidden, lengths)
    return found


@contextmanager
def evaluated(network: nn.Module) -> Iterator[None]:
    """Inside, nothing is dropped."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def _directions(layer: RecurrentLayer, inputs: Tensor) -> list[Gates]:
    found = [gates(layer.ahead, inputs)]
    if layer.behind is not None:
        backwards = gates(layer.behind, inputs.flip(0))
        activity = {name: values[::-1] for name, values in backwards.activity.items()}
        found.append(Gates(activity, backwards.hidden[::-1]))
    return found


def _lstm(inputs: Tensor, recurrent: Tensor, state: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000)."""
    enter, forget, candidate, leave = (inputs + recurrent).chunk(4)
    enter, forget, leave = enter.sigmoid(), forget.sigmoid(), leave.sigmoid()
    cell = forget * state[1] + enter * candidate.tanh()
    gates = {"input": enter, "forget": forget, "output": leave}
    return torch.stack([leave * cell.tanh(), cell]), gates


def _gru(inputs: Tensor, recurrent: Tensor, state: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Cho et al. (2014), as cuDNN has it: the reset gate acts on what the state gives, update 1 keeps the state."""
    (reset, update, new), (reset_too, update_too, old) = inputs.chunk(3), recurrent.chunk(3)
    reset, update = (reset + reset_too).sigmoid(), (update + update_too).sigmoid()
    candidate = (new + reset * old).tanh()
    hidden = (1 - update) * candidate + update * state[0]
    return torch.stack([hidden, state[1]]), {"reset": reset, "update": update}


def _plain(activation: Callable[[Tensor], Tensor]) -> Step:
    """Elman (1990)."""

    def step(inputs: Tensor, recurrent: Tensor, state: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return torch.stack([activation(inputs + recurrent), state[1]]), {}

    return step


_STEPS: dict[str, Step] = {
    "LSTM": _lstm,
    "GRU": _gru,
    "RNN_TANH": _plain(torch.tanh),
    "RNN_RELU": _plain(torch.relu),
}
