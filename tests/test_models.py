"""The networks as networks: equal to packed ones, deaf to padding and batch-mates, wholly trainable."""

import dataclasses
import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.errors import ConfigError
from asr.model_settings import CELLS, STRIDES
from asr.models import ModelSettings, RecurrentCTC, output_lengths
from asr.models.recurrent import RecurrentLayer, reversal
from asr.models.subsampling import Subsampling

NUM_FEATURES, VOCABULARY_SIZE = 7, 6
TINY = ModelSettings(num_layers=2, hidden_size=8, num_channels=8, kernel_size=3, subsampling=2)
OPTIONS = {
    "plain": {},
    "projection": {"projection": 5},
    "residual": {"residual": True, "projection": 8},
    "no layer norm": {"layer_norm": False},
    "unidirectional": {"bidirectional": False},
    "row convolution": {"bidirectional": False, "lookahead": 3},
    "three layers, kernel 5": {"num_layers": 3, "kernel_size": 5},
}


def network(**changes) -> RecurrentCTC:
    torch.manual_seed(3)
    return RecurrentCTC(dataclasses.replace(TINY, **changes), NUM_FEATURES, VOCABULARY_SIZE)


def packed_layer(layer: RecurrentLayer, cell: str, num_inputs: int, hidden_size: int) -> nn.RNNBase:
    """torch's own layer with the same weights."""
    options = {"batch_first": True, "bidirectional": layer.behind is not None}
    if cell.startswith("rnn"):
        options["nonlinearity"] = cell.removeprefix("rnn_")
    kind = {"lstm": nn.LSTM, "gru": nn.GRU}.get(cell, nn.RNN)
    oracle = kind(num_inputs, hidden_size, **options).double()
    with torch.no_grad():
        for name, weight in layer.ahead.named_parameters():
            getattr(oracle, name).copy_(weight)
        if layer.behind is not None:
            for name, weight in layer.behind.named_parameters():
                getattr(oracle, f"{name}_reverse").copy_(weight)
    return oracle


def run_packed(oracle: nn.RNNBase, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(oracle(packed)[0], batch_first=True, total_length=inputs.shape[1])[0]


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_equals_a_packed_one(cell, bidirectional):
    torch.manual_seed(0)
    layer = RecurrentLayer(cell, 5, 4, bidirectional).double()
    oracle = packed_layer(layer, cell, 5, 4)
    lengths = torch.tensor([1, 9, 4, 12, 12, 2])
    inputs = torch.randn(6, 12, 5, dtype=torch.float64)
    ours, theirs = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    outputs, expected = layer(ours, lengths), run_packed(oracle, theirs, lengths)
    assert outputs.shape == (6, 12, layer.num_outputs)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-10)

    weights = torch.randn_like(outputs)
    (outputs * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-10)
    for name, weight in layer.ahead.named_parameters():
        torch.testing.assert_close(weight.grad, getattr(oracle, name).grad, rtol=0, atol=1e-10)
    for name, weight in layer.behind.named_parameters() if layer.behind else []:
        torch.testing.assert_close(weight.grad, getattr(oracle, f"{name}_reverse").grad, rtol=0, atol=1e-10)


def test_reversal_leaves_the_padding_in_place():
    expected = [[2, 1, 0, 3, 4], [0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]
    assert reversal(torch.tensor([3, 1, 5]), 5).tolist() == expected


def test_the_forget_gate_of_an_lstm_starts_open():
    layer = RecurrentLayer("lstm", 3, 4).ahead
    assert layer.bias_ih_l0[4:8].tolist() == [1.0] * 4
    assert layer.bias_hh_l0[4:8].tolist() == [0.0] * 4


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_output_lengths_are_those_of_the_convolutions(stride, kernel_size):
    subsampling = Subsampling(NUM_FEATURES, 4, stride, kernel_size, dropout=0.0)
    for num_frames in [*range(1, 34), 99, 100, 101]:
        length = torch.tensor([num_frames])
        outputs, lengths = subsampling(torch.randn(1, num_frames, NUM_FEATURES), length)
        assert outputs.shape[1] == int(lengths) == output_lengths(num_frames, stride)
        assert torch.equal(lengths, output_lengths(length, stride))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(("cell", "stride"), [*itertools.product(["lstm", "gru"], STRIDES), ("rnn_tanh", 4)])
def test_padding_and_batch_mates_never_change_an_answer(cell, stride, options):
    model = network(cell=cell, subsampling=stride, **options).eval()
    lengths = [1, 2, 9, 31, 58]
    # What lies beyond a length is loud: nothing may depend on it being zero.
    batch = torch.full((5, 70, NUM_FEATURES), 50.0)
    clips = [torch.randn(length, NUM_FEATURES) for length in lengths]
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    together, ends = model(batch, torch.tensor(lengths))
    reordered, _ = model(batch.flip(0)[1:], torch.tensor(lengths[::-1][1:]))
    for index, clip in enumerate(clips):
        alone, _ = model(clip.unsqueeze(0), torch.tensor([len(clip)]))
        end = int(ends[index])
        assert alone.shape[1] == end
        torch.testing.assert_close(together[index, :end], alone[0], rtol=0, atol=1e-5)
        if index < 4:
            torch.testing.assert_close(reordered[3 - index, :end], alone[0], rtol=0, atol=1e-5)


def test_no_gradient_reaches_padding_or_batch_mates():
    model = network()
    features = torch.randn(3, 20, NUM_FEATURES, requires_grad=True)
    log_probs, ends = model.eval()(features, torch.tensor([20, 11, 15]))
    log_probs[1, : int(ends[1])].square().sum().backward()
    reached = features.grad.abs().sum(dim=2) > 0
    assert not reached[0].any()
    assert not reached[2].any()
    assert reached[1].tolist() == [True] * 11 + [False] * 9


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_direction_looks_ahead_only_by_its_convolutions(stride, bidirectional):
    model = network(subsampling=stride, bidirectional=bidirectional).eval()
    features = torch.randn(1, 89, NUM_FEATURES, requires_grad=True)
    frame = 4
    model(features, torch.tensor([89]))[0][0, frame].square().sum().backward()
    furthest = frame
    for step in reversed(STRIDES[stride]):
        furthest = furthest * step + TINY.kernel_size // 2
    seen = features.grad[0].abs().sum(dim=1).nonzero().max().item()
    assert seen == (88 if bidirectional else furthest)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_parameter_gets_a_gradient(cell, options):
    model = network(cell=cell, **options)
    log_probs, lengths = model(torch.randn(2, 30, NUM_FEATURES), torch.tensor([30, 21]))
    targets, target_lengths = torch.tensor([[1, 2, 3], [4, 4, 0]]), torch.tensor([3, 2])
    nn.functional.ctc_loss(log_probs.transpose(0, 1), targets, lengths, target_lengths).backward()
    without = [
        name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert without == []


def test_log_probs_are_float32_logs_of_probabilities_under_autocast_too():
    model = network().eval()
    with torch.autocast("cpu", torch.bfloat16):
        log_probs, _ = model(torch.randn(2, 30, NUM_FEATURES), torch.tensor([30, 21]))
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.exp().sum(dim=-1), torch.ones(2, 15))


def test_dropout_is_off_in_evaluation():
    model = network(dropout=0.5)
    features, lengths = torch.randn(1, 20, NUM_FEATURES), torch.tensor([20])
    assert not torch.equal(model(features, lengths)[0], model(features, lengths)[0])
    model.eval()
    assert torch.equal(model(features, lengths)[0], model(features, lengths)[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "transformer"},
        {"subsampling": 5},
        {"kernel_size": 4},
        {"kernel_size": -1},
        {"num_layers": 0},
        {"hidden_size": 0},
        {"num_channels": 0},
        {"projection": -1},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
)
def test_impossible_settings_are_named(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        ModelSettings(**changes)
