"""Gates computed again give the layer's own output; memory measured is the memory that is there."""

import numpy as np
import pytest
import torch

from asr.errors import ConfigError
from asr.inspection import change_by_distance, gates, gates_by_layer, gradient_by_distance, measure_memory
from asr.model_settings import CELLS
from asr.models import ModelSettings, RecurrentCTC
from asr.models.budget import nearest_in_size, num_parameters
from asr.models.recurrent import RecurrentLayer

GATES = {
    "lstm": {"input", "forget", "output"},
    "gru": {"reset", "update"},
    "rnn_tanh": set(),
    "rnn_relu": set(),
}


def network(cell: str = "rnn_tanh", **changes) -> RecurrentCTC:
    torch.manual_seed(1)
    shape = {
        "num_layers": 1,
        "hidden_size": 16,
        "num_channels": 8,
        "subsampling": 1,
        "kernel_size": 1,
    } | changes
    return RecurrentCTC(ModelSettings(cell=cell, **shape), 5, 4).eval()


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(40, 5, generator=torch.Generator().manual_seed(2))


# --- gates -------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("cell", CELLS)
def test_gates_computed_again_give_the_output_of_the_layer(cell):
    direction = RecurrentLayer(cell, 5, 7, bidirectional=False).ahead
    inputs = 3 * torch.randn(30, 5)
    found = gates(direction, inputs)
    np.testing.assert_allclose(found.hidden, direction(inputs.unsqueeze(0))[0][0].numpy(), atol=1e-6)
    assert set(found.activity) == GATES[cell]
    for values in found.activity.values():
        assert values.shape == (30, 7)
        assert 0 <= values.min() < 0.2 < 0.8 < values.max() <= 1
    assert (found.keeping is None) == cell.startswith("rnn")


@torch.no_grad()
@pytest.mark.parametrize("cell", CELLS)
def test_both_directions_of_every_layer_are_in_the_order_of_time(cell, features):
    net = network(cell, num_layers=2, hidden_size=6, bidirectional=True)
    hidden, lengths = net.subsampling(features.unsqueeze(0), torch.tensor([40]))
    for block, directions in zip(net.blocks, gates_by_layer(net, features), strict=True):
        expected = block.layer(hidden, lengths)[0].numpy()
        found = np.concatenate([one.hidden for one in directions], axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        hidden = block(hidden, lengths)


@torch.no_grad()
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_gate_that_is_shut_keeps_what_there_is(cell):
    direction = RecurrentLayer(cell, 5, 4, bidirectional=False).ahead
    place = {"lstm": slice(4, 8), "gru": slice(4, 8)}[cell]
    direction.bias_ih_l0[place] = 50.0
    assert gates(direction, torch.randn(9, 5)).keeping.min() > 0.999


# --- memory ------------------------------------------------------------------------------------------------


@torch.no_grad()
def copying(weight: float, bidirectional: bool = False) -> RecurrentCTC:
    """Every frame keeps a share of the one before it: h(t) = relu(W x(t) + weight h(t - 1))."""
    net = network("rnn_relu", bidirectional=bidirectional, layer_norm=False)
    net.head[-1].weight.mul_(0.01)  # no symbol is sure
    for direction in (net.blocks[0].layer.ahead, net.blocks[0].layer.behind):
        if direction is not None:
            direction.weight_hh_l0.copy_(weight * torch.eye(16))
            direction.weight_ih_l0.abs_()
            direction.bias_ih_l0.fill_(9.0)  # above zero, where relu is linear
    return net


@pytest.mark.parametrize("weight", [0.5, 0.9])
def test_the_gradient_falls_as_the_recurrence_says(weight, features):
    past, future = gradient_by_distance(copying(weight), features)
    np.testing.assert_allclose(past, weight ** np.arange(40.0), rtol=1e-3)
    np.testing.assert_array_equal(future[1:], 0)
    both = gradient_by_distance(copying(weight, bidirectional=True), features)
    assert both[1][5] > 0.5 * weight**6


def test_a_long_memory_is_longer_than_a_short_one(features):
    short, long = (measure_memory(copying(weight), [features, features[:25]]) for weight in (0.3, 0.95))
    assert short.gradient_reach() == 4  # 0.3^3 is the last above a hundredth
    assert long.gradient_reach() == 40
    assert short.change_reach(1e-4) < long.change_reach(1e-4)
    assert len(long.past) == 40
    assert len(long.changed_past) == 20


def test_what_is_masked_is_a_span_and_nothing_else(features):
    net = network("gru", subsampling=2, kernel_size=1, bidirectional=False)
    past, future = change_by_distance(net, features, 2)
    expected = np.zeros((10, 20))
    whole = net(features.unsqueeze(0), torch.tensor([40]))[0].exp()[0]
    for place in range(10):
        masked = features.clone()
        masked[4 * place : 4 * place + 4] = 0
        found = net(masked.unsqueeze(0), torch.tensor([40]))[0].exp()[0]
        expected[place] = ((found - whole).abs().sum(-1) / 2).detach().numpy()
    assert past[0] == pytest.approx(np.mean([expected[n, 2 * n : 2 * n + 2] for n in range(10)]), rel=1e-4)
    assert past[9] == pytest.approx(expected[0, 18:].mean(), abs=1e-6)
    assert future[1:].max() < 1e-6  # one direction


def test_measuring_leaves_the_network_alone(features):
    net = network("lstm", num_layers=2).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    measure_memory(net, [features])
    gates_by_layer(net, features)
    assert net.training
    assert all(weight.grad is None for weight in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


# --- size --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_units_are_those_that_come_nearest(cell, bidirectional):
    asked = ModelSettings(cell=cell, bidirectional=bidirectional, num_layers=2, num_channels=16)
    found = nearest_in_size(asked, 13, 20, 50_000)
    sizes = {}
    for units in range(found.hidden_size - 1, found.hidden_size + 2):
        model = ModelSettings(
            cell=cell, bidirectional=bidirectional, num_layers=2, num_channels=16, hidden_size=units
        )
        sizes[units] = sum(weight.numel() for weight in RecurrentCTC(model, 13, 20).parameters())
        assert num_parameters(model, 13, 20) == sizes[units]
    assert min(sizes, key=lambda units: abs(sizes[units] - 50_000)) == found.hidden_size


def test_a_budget_that_is_too_small_is_a_sentence():
    with pytest.raises(ConfigError, match="with one unit a layer the network has"):
        nearest_in_size(ModelSettings(), 13, 20, 1000)
