"""The attention decoder as a network: deaf to padding, the same label by label as at once, wholly trainable."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from asr.errors import ConfigError
from asr.model_settings import AttentionSettings
from asr.models import ModelSettings, Seq2Seq
from asr.models.losses import label_losses
from asr.models.speller import Spelling

NUM_FEATURES, VOCABULARY_SIZE = 7, 6
ATTENTION = AttentionSettings(hidden_size=9, embedding_size=4, width=5, num_filters=3, reach=2)
TINY = ModelSettings(
    kind="seq2seq",
    num_layers=2,
    hidden_size=8,
    num_channels=8,
    kernel_size=3,
    subsampling=2,
    attention=ATTENTION,
)
LENGTHS, TEXTS = [31, 9, 58, 2], [[1, 2, 3, 4], [5], [2, 2, 1, 3, 5, 4], []]


def network(**changes) -> Seq2Seq:
    torch.manual_seed(3)
    settings = dataclasses.replace(TINY, attention=dataclasses.replace(ATTENTION, **changes))
    return Seq2Seq(settings, NUM_FEATURES, VOCABULARY_SIZE)


def batch(lengths=LENGTHS, texts=TEXTS, size: int = 70, most: int = 8):
    """Clips whose padding is loud, in features and in labels."""
    features = torch.full((len(lengths), size, NUM_FEATURES), 50.0, dtype=torch.float64)
    targets = torch.full((len(texts), most), 3)
    for index, (length, text) in enumerate(zip(lengths, texts, strict=True)):
        generator = torch.Generator().manual_seed(length)
        features[index, :length] = torch.randn(length, NUM_FEATURES, generator=generator).double()
        targets[index, : len(text)] = torch.tensor(text, dtype=torch.long)
    return features, torch.tensor(lengths), targets, torch.tensor([len(text) for text in texts])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_batch_gives_what_each_utterance_gives_alone(cell):
    model = network(cell=cell).double().eval()
    features, lengths, targets, target_lengths = batch()
    outputs = model.outputs(features, lengths, targets)
    together = outputs[2]
    assert together.shape == (4, 9, VOCABULARY_SIZE)
    losses, _ = model.losses(outputs, targets, target_lengths, 0.1)
    for index, (length, text) in enumerate(zip(LENGTHS, TEXTS, strict=True)):
        one = batch([length], [text], length, len(text))
        alone = model.outputs(*one[:3])
        torch.testing.assert_close(together[index, : len(text) + 1], alone[2][0], rtol=0, atol=1e-10)
        # The CTC scores are float32 in any case.
        torch.testing.assert_close(losses[index], model.losses(alone, *one[2:], 0.1)[0][0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_label_by_label_is_as_at_once(cell):
    model = network(cell=cell).double().eval()
    states, lengths = torch.randn(2, 20, 16, dtype=torch.float64), torch.tensor([20, 13])
    texts = torch.tensor([[1, 2, 3], [4, 4, 5]])
    at_once = model.speller(states, lengths, texts)
    for index, length in enumerate((20, 13)):
        spelling = Spelling(model.speller, states[index, :length], 0.3)
        state = spelling.begin()
        for place, label in enumerate([0, *texts[index].tolist()]):
            # Of three texts alike, the last goes on.
            log_probs, weights, state = spelling.advance(
                state, [0, 0, 0] if place == 0 else [2, 0, 2], [label] * 3
            )
            torch.testing.assert_close(
                torch.from_numpy(log_probs[2]), at_once[index, place], rtol=0, atol=1e-10
            )
            assert weights.shape == (3, length)
            assert weights.sum(axis=1) == pytest.approx([1, 1, 1])


def test_attention_ends_where_an_utterance_does():
    speller = network().speller
    states, lengths = torch.randn(2, 20, 16), torch.tensor([20, 13])
    attended = speller.attend_to(states, lengths)
    written = speller.begin(attended)
    for _ in range(3):
        written = speller.step(torch.randn(2, 4), written, attended)
    assert written.weights[1, 13:].eq(0).all()
    assert written.weights.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert written.earlier.sum(dim=1).tolist() == pytest.approx([3, 3])


def test_where_it_attended_before_counts():
    speller = network().double().speller.eval()
    attended = speller.attend_to(torch.zeros(1, 9, 16, dtype=torch.float64), torch.tensor([9]))
    before = speller.begin(attended)
    label = torch.zeros(1, 4, dtype=torch.float64)
    # All frames sound alike: without a trace nothing tells them apart.
    assert speller.step(label, before, attended).weights[0].tolist() == pytest.approx([1 / 9] * 9)
    elsewhere = before._replace(weights=nn.functional.one_hot(torch.tensor([4]), 9).double())
    weights = speller.step(label, elsewhere, attended).weights[0]
    assert weights[:2].tolist() == pytest.approx(weights[7:].tolist())
    assert weights.max() - weights.min() > 1e-3


def gradients(model: Seq2Seq) -> dict[str, torch.Tensor]:
    features, lengths, targets, target_lengths = batch()
    kept = slice(0, 3)  # the last has too few frames for nothing but its end
    outputs = model.outputs(features[kept].float(), lengths[kept], targets[kept])
    losses, minimised = model.losses(outputs, targets[kept], target_lengths[kept], 0.0)
    assert torch.equal(losses, minimised)
    losses.sum().backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_every_parameter_gets_a_gradient(cell, ctc_weight):
    model = network(cell=cell, ctc_weight=ctc_weight)
    found = gradients(model)
    assert [name for name, _ in model.named_parameters() if name not in found or not found[name].any()] == []


def test_a_ctc_head_without_weight_listens_and_changes_nothing():
    alone = network(ctc_weight=0.0).eval()
    found = gradients(alone)
    features, lengths, targets, target_lengths = batch()
    outputs = alone.outputs(features[:3].float(), lengths[:3], targets[:3])
    alone.zero_grad()
    label_losses(outputs[2], targets[:3], target_lengths[:3]).sum().backward()
    for name, weight in alone.named_parameters():
        if name.startswith("head"):
            assert found[name].any()
            assert weight.grad is None
        else:
            torch.testing.assert_close(weight.grad, found[name], rtol=1e-4, atol=1e-5)


def test_label_losses_by_hand():
    log_probs = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.7, 0.1, 0.2]]] * 2).log()
    losses = label_losses(log_probs, torch.tensor([[1, 2], [1, 2]]), torch.tensor([2, 0]))
    assert losses.tolist() == pytest.approx([-math.log(0.25 * 0.8 * 0.7), -math.log(0.5)])


def test_smoothing_is_of_labels():
    model = network(ctc_weight=0.3).eval()
    features, lengths, targets, target_lengths = batch()
    outputs = model.outputs(features.float(), lengths, targets)
    losses, smoothed = model.losses(outputs, targets, target_lengths, 0.2)
    written = label_losses(outputs[2], targets, target_lengths)
    divergence = -outputs[2].mean(dim=2) - math.log(VOCABULARY_SIZE)
    sums = torch.stack([row[: len(text) + 1].sum() for row, text in zip(divergence, TEXTS, strict=True)])
    expected = losses + 0.7 * 0.2 * (sums - written)
    torch.testing.assert_close(smoothed, expected)


def test_sampling_draws_where_it_is_on_and_only_in_training():
    _, _, targets, _ = batch()
    states, lengths = torch.randn(4, 20, 16), torch.tensor([20, 13, 9, 1])

    def spelled(sampling: float, seed: int) -> torch.Tensor:
        speller = network(scheduled_sampling=sampling, dropout=0.0).speller
        torch.manual_seed(seed)
        log_probs = speller(states, lengths, targets)
        return log_probs

    plain = spelled(0.0, 1)
    assert torch.equal(plain, spelled(0.0, 2))
    sampled = spelled(0.5, 1)
    assert torch.equal(sampled, spelled(0.5, 1))
    assert not torch.equal(sampled, spelled(0.5, 2))
    # Nothing is drawn in place of what every text begins with.
    assert torch.equal(sampled[:, 0], plain[:, 0])
    evaluated = network(scheduled_sampling=0.5).speller.eval()
    assert torch.equal(evaluated(states, lengths, targets), plain)


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "rnn_tanh"},
        {"hidden_size": 0},
        {"reach": 100_000},
        {"ctc_weight": 1.0},
        {"scheduled_sampling": -0.1},
        {"dropout": 1.0},
        {"longest": 0.0},
    ],
)
def test_impossible_settings_are_named(changes):
    with pytest.raises(ConfigError, match=f"model.attention.{next(iter(changes))}"):
        dataclasses.replace(ATTENTION, **changes)


def test_a_kind_that_is_none_is_named():
    with pytest.raises(ConfigError, match=r"model\.kind='transducer' is not one of ctc, seq2seq"):
        ModelSettings(kind="transducer")
