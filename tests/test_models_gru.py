"""The GRU that learns by compiled steps gives torch's outputs and gradients; where it does not learn it is torch's."""

import math

import pytest
import torch
from torch import nn

from asr.models import gru
from asr.models.gru import GRU
from asr.models.recurrent import RecurrentLayer

SIZES = [(3, 11, 5, 4), (1, 1, 2, 3), (8, 40, 30, 33)]


def pair(num_inputs: int, units: int) -> tuple[GRU, nn.GRU]:
    """Ours and, in float64, torch's with the same weights."""
    torch.manual_seed(4)
    ours = GRU(num_inputs, units, batch_first=True)
    theirs = nn.GRU(num_inputs, units, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def learn(layer: nn.GRU, inputs: torch.Tensor) -> list[torch.Tensor]:
    """Outputs, last state, and every gradient of a loss that weighs all of them differently."""
    inputs = inputs.clone().requires_grad_()
    outputs, state = layer(inputs)
    weights = torch.arange(outputs.numel(), dtype=outputs.dtype).view_as(outputs).cos()
    ((outputs * weights).sum() + state.square().sum()).backward()
    return [outputs.detach(), state.detach(), inputs.grad, *(one.grad for one in layer.parameters())]


@pytest.fixture
def steps(monkeypatch) -> list[tuple[int, ...]]:
    """The sizes of what compiled steps were asked for."""
    asked = []
    apply = gru._Steps.apply

    def counting(inputs, *rest):
        asked.append(tuple(inputs.shape))
        return apply(inputs, *rest)

    monkeypatch.setattr(gru._Steps, "apply", counting)
    return asked


@pytest.mark.parametrize(("batch", "time", "num_inputs", "units"), SIZES)
def test_outputs_and_gradients_are_torchs(steps, batch, time, num_inputs, units):
    ours, theirs = pair(num_inputs, units)
    inputs = torch.randn(batch, time, num_inputs)
    for found, expected in zip(learn(ours, inputs), learn(theirs, inputs.double()), strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    assert steps == [(time, batch, 3 * units)]


def test_a_layer_of_two_directions_learns_by_them_and_recognises_by_torchs(steps):
    torch.manual_seed(2)
    layer = RecurrentLayer("gru", 6, 5)
    inputs, lengths = torch.randn(3, 9, 6), torch.tensor([9, 4, 7])
    learning = layer(inputs, lengths)
    assert len(steps) == 2
    with torch.no_grad():
        torch.testing.assert_close(layer(inputs, lengths), learning)
    double = layer.double()(inputs.double(), lengths)
    torch.testing.assert_close(double.float(), learning)
    assert len(steps) == 2


def test_from_a_state_or_in_half_precision_it_is_torchs(steps):
    ours, _ = pair(4, 3)
    inputs = torch.randn(2, 5, 4)
    first, state = ours(inputs[:, :2])
    rest, _ = ours(inputs[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), ours(inputs)[0])
    assert len(steps) == 2
    with torch.autocast("cpu", torch.bfloat16):
        ours(inputs)
    assert len(steps) == 2


def test_weights_that_are_kept_get_no_gradient():
    ours, _ = pair(4, 3)
    ours.requires_grad_(False)
    inputs = torch.randn(2, 5, 4, requires_grad=True)
    ours(inputs)[0].sum().backward()
    assert inputs.grad.abs().sum() > 0
    assert all(one.grad is None for one in ours.parameters())


def test_what_is_no_number_stays_none_and_great_sums_saturate():
    ours, theirs = pair(2, 3)
    inputs = torch.tensor([[[1e30, -1e30], [1.0, 1.0], [math.nan, 0.0], [0.0, 0.0]]])
    found, expected = (layer(values)[0] for layer, values in ((ours, inputs), (theirs, inputs.double())))
    torch.testing.assert_close(found.double(), expected, equal_nan=True, rtol=1e-4, atol=1e-5)
    assert found[0, 2:].isnan().all()
