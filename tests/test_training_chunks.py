"""Training in chunks: the answer of the whole, the gradient of truncated backpropagation, the memory of a chunk."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from trainings import make_settings, rows, train

from asr.errors import ConfigError
from asr.model_settings import CELLS
from asr.models import ModelSettings, RecurrentCTC
from asr.models.losses import ctc_losses
from asr.training.chunks import chunk_frames, hear

NUM_FEATURES, VOCABULARY_SIZE = 7, 6
TINY = ModelSettings(
    bidirectional=False, num_layers=2, hidden_size=8, num_channels=8, kernel_size=3, subsampling=2, dropout=0
)
OPTIONS = {
    **{cell: {"cell": cell} for cell in CELLS},
    "look-ahead": {"lookahead": 3},
    "look-ahead longer than a chunk": {"lookahead": 9},
    "stride 4, kernel 5": {"subsampling": 4, "kernel_size": 5, "lookahead": 1},
    "stride 8, narrowing": {"subsampling": 8, "hidden_size": 5, "lookahead": 2},
    "stride 3, residual, projection": {"subsampling": 3, "residual": True, "projection": 8},
}
LENGTHS = torch.tensor([90, 61, 13])


def network(**changes) -> RecurrentCTC:
    torch.manual_seed(3)
    settings = dataclasses.replace(TINY, **changes)
    return RecurrentCTC(settings, NUM_FEATURES, VOCABULARY_SIZE).double()


def features() -> Tensor:
    """With something behind the end of each, which must not be heard."""
    return torch.randn(3, 90, NUM_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def ctc(log_probs: Tensor, lengths: Tensor) -> Tensor:
    targets = torch.tensor([[1, 2, 3], [3, 3, 1], [2, 0, 0]])
    return ctc_losses(log_probs, lengths, targets, torch.tensor([3, 3, 1])).sum()


def gradients(net: RecurrentCTC, score: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(score, list(net.parameters())))


def truncated(net: RecurrentCTC, values: Tensor, lengths: Tensor, num_frames: int) -> Tensor:
    """The definition, on the whole batch at once: from each chunk's beginning on without what was before it."""
    hidden, out_lengths = net.subsampling(values, lengths)
    states = [None] * len(net.blocks)
    pieces = []
    for start in range(0, hidden.shape[1], num_frames):
        upper, carried = hidden[:, start:], []
        for block, state in zip(net.blocks, states, strict=True):
            _, after = block.resume(upper[:, :num_frames], state)
            carried.append(
                tuple(one.detach() for one in after) if isinstance(after, tuple) else after.detach()
            )
            upper, _ = block.resume(upper, state)
        heard = net.conclude(upper, (out_lengths - start).clamp(min=0))
        pieces.append(heard[:, :num_frames])
        states = carried
    return torch.cat(pieces, dim=1)


@pytest.mark.parametrize("num_frames", [1, 7, 1000])
@pytest.mark.parametrize("name", OPTIONS)
def test_chunks_give_what_the_whole_gives(name, num_frames):
    net = network(**OPTIONS[name])
    expected, expected_lengths = net(features(), LENGTHS)
    found, lengths = hear(net, features(), LENGTHS, num_frames)
    assert torch.equal(lengths, expected_lengths)
    for row, end in enumerate(lengths.tolist()):
        torch.testing.assert_close(found[row, :end], expected[row, :end], rtol=0, atol=1e-6)


@pytest.mark.parametrize("num_frames", [3, 7])
@pytest.mark.parametrize("name", OPTIONS)
def test_the_gradient_is_that_of_the_definition(name, num_frames):
    net = network(**OPTIONS[name])
    found = gradients(net, ctc(*hear(net, features(), LENGTHS, num_frames)))
    _, lengths = net(features(), LENGTHS)
    whole = gradients(net, ctc(*net(features(), LENGTHS)))
    expected = gradients(net, ctc(truncated(net, features(), LENGTHS, num_frames), lengths))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert any(not torch.allclose(one, other, rtol=1e-3) for one, other in zip(found, whole, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_one_chunk_is_backpropagation_through_all_time(cell):
    net = network(cell=cell, lookahead=3)
    found = gradients(net, ctc(*hear(net, features(), LENGTHS, 45)))
    torch.testing.assert_close(found, gradients(net, ctc(*net(features(), LENGTHS))), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("first", "same"), [(80, True), (45, False)])
def test_a_cut_costs_nothing_where_it_is_far_away(first, same):
    """A plain recurrence has forgotten all after thirty-five frames."""
    net = network(cell="rnn_tanh", subsampling=1)

    def of_last_rows(log_probs: Tensor) -> list[Tensor]:
        return gradients(net, log_probs[0, first : first + 5, 0].sum())

    found, whole = (
        of_last_rows(hear(net, features(), LENGTHS, 45)[0]),
        of_last_rows(net(features(), LENGTHS)[0]),
    )
    close = [
        torch.allclose(one, other, rtol=1e-4, atol=1e-6) for one, other in zip(found, whole, strict=True)
    ]
    assert all(close) == same


def test_what_is_dropped_is_dropped_on_the_way_back_too():
    net = network(dropout=0.5).train()
    found, expected = [], []
    for gradient, num_frames in ((found, 45), (expected, 0)):
        torch.manual_seed(8)
        heard = hear(net, features(), LENGTHS, num_frames) if num_frames else net(features(), LENGTHS)
        gradient += gradients(net, ctc(*heard))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


# --- the loss ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize(("num_frames", "num_labels"), [(60, 12), (9, 8), (7, 0), (400, 190)])
def test_the_loss_in_blocks_is_the_loss(num_frames, num_labels, block):
    torch.manual_seed(num_labels)
    logits = torch.randn(4, num_frames, 6, requires_grad=True)
    lengths = torch.randint(num_frames // 2 + 1, num_frames + 1, (4,))
    targets = torch.randint(1, 6, (4, max(1, num_labels)))
    target_lengths = torch.randint(num_labels // 2, num_labels + 1, (4,))
    found, expected = (
        ctc_losses(values.log_softmax(-1), lengths, targets, target_lengths, *more)
        for values, more in ((logits, (block,)), (logits.double(), ()))
    )
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    possible = expected.isfinite()
    of_found, of_expected = (
        torch.autograd.grad(losses[possible].sum(), logits, retain_graph=True)[0][possible]
        for losses in (found, expected)
    )
    torch.testing.assert_close(of_found, of_expected, rtol=1e-4, atol=2e-5)


def test_the_loss_in_blocks_of_a_batch_without_any_label():
    torch.manual_seed(1)
    log_probs = torch.randn(3, 20, 6).log_softmax(-1)
    lengths, none = torch.tensor([20, 11, 1]), torch.zeros(3, dtype=torch.long)
    found = ctc_losses(log_probs, lengths, torch.zeros(3, 0, dtype=torch.long), none, 6)
    expected = [
        -float(rows[:length, 0].sum()) for rows, length in zip(log_probs, lengths.tolist(), strict=True)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


# --- a training --------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


def test_two_directions_refuse_chunks_in_a_sentence(settings):
    with pytest.raises(ConfigError, match=r"chunk_seconds=15 .*set model\.bidirectional=false"):
        settings(trainer={"chunk_seconds": 15})


def test_a_chunk_is_counted_in_frames_of_the_network(settings):
    one_way = {"bidirectional": False}
    asked = settings(model=one_way, trainer={"chunk_seconds": 1.5})
    assert chunk_frames(asked) == round(1.5 / (asked.features.hop_seconds * 2))
    assert chunk_frames(settings(model=one_way)) == 0


def test_a_training_in_long_chunks_is_the_usual_one_and_in_short_ones_another(settings, tmp_path):
    losses = {}
    for seconds in (0, 1000, 0.2):
        asked = settings(
            model={"bidirectional": False, "dropout": 0.0},
            trainer={"max_epochs": 2, "chunk_seconds": seconds, "watch_gradients": True},
            run_dir=tmp_path / str(seconds),
        )
        train(asked)
        losses[seconds] = [row["loss"] for row in rows(asked)]
    assert losses[1000] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0.2] != pytest.approx(losses[0], rel=1e-4)
    assert losses[0.2] == pytest.approx(losses[0], rel=0.2)


GROWTH = """
import torch
from asr.models import ModelSettings, RecurrentCTC
from asr.training.chunks import hear
from asr.models.losses import ctc_losses

network = RecurrentCTC(ModelSettings(bidirectional=False, hidden_size=128, num_channels=64, lookahead=4), 13, 30)

def step(seconds, chunk):
    lengths, labels = torch.tensor([100 * seconds]), 10 * seconds
    features = torch.randn(1, 100 * seconds, 13)
    log_probs, ends = hear(network, features, lengths, chunk) if chunk else network(features, lengths)
    targets = torch.randint(1, 30, (1, labels))
    ctc_losses(log_probs, ends, targets, torch.tensor([labels]), chunk).sum().backward()
    # Not getrusage, which begins with what the parent had when it forked.
    (peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(peak.split()[1])

step(2, 25)
step(2, 0)
peaks = [step(4, 50), step(30, 50), step(30, 0)]
print(*(after - before for before, after in zip(peaks, peaks[1:])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read as Linux tells it")
def test_fifteen_chunks_take_little_more_memory_than_two():
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    in_chunks, whole = map(int, done.stdout.split())
    assert in_chunks < whole / 5
