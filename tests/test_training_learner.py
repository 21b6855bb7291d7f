"""Two views of each utterance: how far apart they are, and what every kind of model makes of them."""

import dataclasses
import math

import pytest
import torch
from toys import VOCABULARY
from trainings import make_settings, train

import asr
from asr.augment import AugmentSettings, mask_features
from asr.data import SpeechDataset, collate
from asr.errors import ConfigError
from asr.manifest import read_manifest
from asr.model_settings import AttentionSettings, ModelSettings
from asr.models import RecurrentClassifier, RecurrentCTC, Seq2Seq
from asr.models.losses import disagreement
from asr.settings import Settings
from asr.text import TextSettings
from asr.trainer_settings import TrainerSettings
from asr.training.chunks import InChunks
from asr.training.learner import TwoViews, learner

NUM_FEATURES, VOCABULARY_SIZE = 7, 6
TINY = ModelSettings(num_layers=1, hidden_size=8, num_channels=8, kernel_size=3, subsampling=2)
ONE_WAY = dataclasses.replace(TINY, bidirectional=False)
ATTENTIVE = dataclasses.replace(TINY, kind="seq2seq", attention=AttentionSettings(hidden_size=8))
MASKS = AugmentSettings(time_masks=2, feature_masks=2)
KINDS = {
    "ctc": lambda: RecurrentCTC(TINY, NUM_FEATURES, VOCABULARY_SIZE),
    "chunks": lambda: InChunks(RecurrentCTC(ONE_WAY, NUM_FEATURES, VOCABULARY_SIZE), 5),
    "seq2seq": lambda: Seq2Seq(ATTENTIVE, NUM_FEATURES, VOCABULARY_SIZE),
    "classifier": lambda: RecurrentClassifier(
        dataclasses.replace(TINY, kind="classifier"), NUM_FEATURES, VOCABULARY_SIZE
    ),
}


def divergence(one: list[float], other: list[float]) -> float:
    """KL(one || other)."""
    return sum(p * math.log(p / q) for p, q in zip(one, other, strict=True) if p)


def test_disagreement_by_hand():
    one = [[0.5, 0.25, 0.25], [0.8, 0.1, 0.1]]
    other = [[0.2, 0.4, 0.4], [0.1, 0.1, 0.8]]
    log_probs = torch.tensor([[one, other], [one, other]]).log()
    found = disagreement(log_probs, torch.tensor([2, 1]))  # the second's second frame is padding
    frames = [(divergence(a, b) + divergence(b, a)) / 2 for a, b in zip(one, other, strict=True)]
    assert found.tolist() == pytest.approx([sum(frames), frames[0]])


def test_each_view_goes_towards_the_other_as_it_stands():
    scores = torch.tensor([[[[1.0, 0.0, -1.0]], [[0.0, 2.0, 0.0]]]], requires_grad=True)
    disagreement(scores.log_softmax(dim=-1), torch.tensor([1])).sum().backward()
    one, other = scores.detach().softmax(dim=-1).unbind(dim=1)
    # The gradient of the cross-entropy between a goal that stands and a softmax is their difference.
    expected = 0.5 * torch.stack([one - other, other - one], dim=1)
    torch.testing.assert_close(scores.grad, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_two_equal_views_agree_and_cost_what_one_does(kind):
    torch.manual_seed(1)
    hearing = KINDS[kind]()
    getattr(hearing, "network", hearing).eval()
    features, lengths = torch.randn(3, 24, NUM_FEATURES), torch.tensor([24, 15, 20])
    targets, target_lengths = torch.tensor([[1, 2], [3, 0], [2, 5]]), torch.tensor([2, 1, 2])
    views = TwoViews(hearing, 10.0)
    outputs = views.outputs(torch.cat([features, features]), lengths, targets)
    assert all(one.shape[:2] == (3, 2) for one in outputs)
    one = hearing.losses(hearing.outputs(features, lengths, targets), targets, target_lengths, 0.1)
    two = views.losses(outputs, targets, target_lengths, 0.1)
    torch.testing.assert_close(two, one)


@pytest.mark.parametrize("kind", KINDS)
def test_views_that_differ_cost_their_disagreement(kind):
    torch.manual_seed(1)
    hearing = KINDS[kind]()
    getattr(hearing, "network", hearing).eval()
    features, lengths = torch.randn(4, 24, NUM_FEATURES), torch.tensor([24, 15])
    targets, target_lengths = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    views = TwoViews(hearing, 0.5)
    outputs = views.outputs(features, lengths, targets)
    losses, minimised = views.losses(outputs, targets, target_lengths, 0.0)
    halves = [
        hearing.losses(hearing.outputs(half, lengths, targets), targets, target_lengths, 0.0)[0]
        for half in features.split(2)
    ]
    torch.testing.assert_close(losses, torch.stack(halves).mean(dim=0))
    extra = minimised - losses
    torch.testing.assert_close(extra, 0.5 * disagreement(outputs[0], outputs[1][:, 0]))
    assert (extra > 0).all()


def test_the_settings_decide():
    network = KINDS["ctc"]()
    assert learner(network, Settings()) is network
    asked = Settings(trainer=TrainerSettings(consistency=0.2))
    assert learner(network, asked) == TwoViews(network, 0.2)
    chunked = Settings(model=ONE_WAY, trainer=TrainerSettings(consistency=0.2, chunk_seconds=1.0))
    assert isinstance(learner(network, chunked).hearing, InChunks)


def test_a_head_that_only_listens_has_nothing_to_agree_on():
    alone = dataclasses.replace(ATTENTIVE, attention=AttentionSettings(hidden_size=8, ctc_weight=0.0))
    with pytest.raises(ConfigError, match="compares the scores of CTC, which here only listens"):
        Settings(model=alone, trainer=TrainerSettings(consistency=0.2))


def test_masked_views_agree_more_when_they_were_asked_to(tmp_path):
    settings = make_settings(tmp_path)
    trainer = {"max_epochs": 8}
    apart = {}
    for weight in (1e-9, 1.0):
        asked = settings(
            run_dir=tmp_path / f"{weight}", augment=MASKS, trainer=trainer | {"consistency": weight}
        )
        result, _ = train(asked)
        apart[weight] = mean_disagreement(result.model_dir, asked)
    assert apart[1.0] < 0.8 * apart[1e-9]


def mean_disagreement(model_dir: str, asked: Settings) -> float:
    """Between two masked views of each training utterance, ten times over."""
    acoustic = asr.load(model_dir, device="cpu").acoustic
    dataset = SpeechDataset(read_manifest(asked.data.train), acoustic.front_end, VOCABULARY, TextSettings())
    batch = collate([dataset[index] for index in range(len(dataset))])
    torch.manual_seed(5)
    found = []
    for _ in range(10):
        views = [mask_features(batch.features, batch.feature_lengths, MASKS) for _ in range(2)]
        heard = [acoustic.network(view, batch.feature_lengths) for view in views]
        found.append(disagreement(torch.stack([rows for rows, _ in heard], dim=1), heard[0][1]))
    return float(torch.stack(found).detach().mean())
