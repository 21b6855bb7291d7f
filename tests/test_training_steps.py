"""What a step does to the weights, each option against its definition, and all of them through a crash."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toys import FEATURES, SMALL, VOCABULARY, random_model
from trainings import AUGMENT, STEPS_PER_EPOCH, left_behind, make_settings, rows, train, weights

import asr
from asr.config import compose
from asr.data import SpeechDataset, collate
from asr.errors import CheckpointError, ConfigError
from asr.evaluation import evaluate
from asr.features import FrontEnd
from asr.manifest import read_manifest, write_manifest
from asr.models import ModelSettings, RecurrentCTC
from asr.models.losses import smoothed
from asr.settings import Settings, build
from asr.text import TextSettings
from asr.trainer_settings import TrainerSettings
from asr.training import epochs
from asr.training.module import CTCTraining
from asr.training.schedule import rate
from asr.training.weights import MovingAverage, noisy, replaced

ALL = {
    "accumulate": 2,
    "label_smoothing": 0.05,
    "consistency": 0.2,
    "weight_noise": 0.02,
    "ema": 0.8,
    "average": 2,
    "average_of": "best",
    "schedule": "noam",
    "watch_gradients": True,
}


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


class Crash(Exception):
    pass


def crash_at(monkeypatch, step: int) -> None:
    original = CTCTraining._step

    def crashing(self):
        if self.global_step == step:
            raise Crash
        original(self)

    monkeypatch.setattr(CTCTraining, "_step", crashing)


def test_every_option_at_once_goes_on_exactly_where_it_crashed(settings, tmp_path, monkeypatch):
    asked = settings(trainer=ALL, augment=AUGMENT, model={"layer_dropout": (0.1, 0.3)})
    whole = dataclasses.replace(asked, run_dir=str(tmp_path / "whole"))
    expected, _ = train(whole)
    for step in (1, 4, 11):
        with monkeypatch.context() as patch:
            crash_at(patch, step)
            with pytest.raises(Crash):
                train(asked)
        torch.manual_seed(step)
    result, printed = train(asked)
    assert left_behind(asked) == left_behind(whole)
    assert (result.dev_wer, result.best_epoch) == (expected.dev_wer, expected.best_epoch)
    assert "the average of epochs " in printed
    kept = {path.name for path in (Path(asked.run_dir) / "epochs").iterdir()}
    assert kept == {path.name for path in (Path(whole.run_dir) / "epochs").iterdir()}
    assert len(kept) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"label_smoothing": 0.1},
        {"consistency": 0.5},
        {"weight_noise": 0.05},
        {"accumulate": 3},
        {"schedule": "noam"},
        {"ema": 0.9},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_option_changes_the_training(settings, tmp_path, change):
    plain = settings(trainer={"max_epochs": 2})
    other = settings(trainer={"max_epochs": 2} | change, run_dir=tmp_path / "other")
    train(plain)
    train(other)
    assert weights(plain) != weights(other)


# --- accumulation ------------------------------------------------------------------------------------------


@pytest.fixture
def examples(settings):
    utterances = read_manifest(settings().data.train)
    dataset = SpeechDataset(utterances, FrontEnd(FEATURES), VOCABULARY, TextSettings())
    examples = [dataset[index] for index in range(9)]
    return [example._replace(features=example.features.double()) for example in examples]


def gradients(batches, asked: Settings) -> list[torch.Tensor]:
    """What has been added up after these batches, in float64."""
    module = CTCTraining(random_model().acoustic.double().eval(), asked, read_manifest(asked.data.train), 1)
    module.manual_backward = lambda loss: loss.backward()
    for batch in batches:
        losses, kept = module.losses(batch)
        module._add_gradient(losses, batch.indices[kept])
    return [weight.grad for weight in module.parameters()]


def test_the_gradient_of_batches_of_any_size_is_that_of_one_large_batch(settings, examples):
    asked = settings()
    one = gradients([collate(examples)], asked)
    several = gradients([collate(examples[:1]), collate(examples[1:7]), collate(examples[7:])], asked)
    for ours, theirs in zip(several, one, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_is_left_out_of_an_accumulated_step_does_not_count(settings, examples):
    asked = settings()
    # More labels than frames: an infinite loss.
    lie = examples[1]._replace(features=examples[1].features[:4])
    with_lie = gradients([collate([examples[0], lie]), collate(examples[2:5])], asked)
    without = gradients([collate(examples[:1]), collate(examples[2:5])], asked)
    for ours, theirs in zip(with_lie, without, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_batches_that_accumulate_make_fewer_steps_and_the_last_of_an_epoch_is_not_lost(settings, monkeypatch):
    taken = []
    original = CTCTraining._step

    def counting(self):
        taken.append(len(self._taken))
        original(self)

    monkeypatch.setattr(CTCTraining, "_step", counting)
    _, printed = train(settings(trainer={"max_epochs": 2, "accumulate": 2}))
    assert len(taken) == 2 * math.ceil(STEPS_PER_EPOCH / 2)
    assert sum(taken) == 2 * 24
    assert "5 batches an epoch in 3 steps" in printed


# --- rate, loss, noise, dropout ----------------------------------------------------------------------------


def test_noam_by_hand():
    noam = TrainerSettings(schedule="noam", warmup_epochs=2.0)
    rates = [rate(noam, step, 10) for step in (0, 9, 19, 20, 83, 20 * 21 + 20)]
    assert rates[:4] == pytest.approx([1 / 21, 10 / 21, 20 / 21, 1])
    # Four times as many steps, half the rate (Vaswani et al. 2017).
    assert rates[4] == pytest.approx(0.5)
    assert rates[5] == pytest.approx(math.sqrt(1 / 21))
    assert compose(["trainer=noam"]).trainer.schedule == "noam"


def test_label_smoothing_by_hand():
    log_probs = torch.tensor(
        [[[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]], [[0.8, 0.1, 0.1], [0.9, 0.05, 0.05]]]
    )
    losses = smoothed(torch.tensor([2.0, 3.0]), log_probs.log(), torch.tensor([2, 1]), 0.25)
    # KL(uniform || p) = sum over symbols of 1/3 log((1/3) / p); uniform scores cost nothing.
    first = sum(math.log(1 / 3 / p) / 3 for p in (0.5, 0.25, 0.25))
    second = sum(math.log(1 / 3 / p) / 3 for p in (0.8, 0.1, 0.1))  # its second frame is padding
    assert losses.tolist() == pytest.approx([0.75 * 2 + 0.25 * first, 0.75 * 3 + 0.25 * second])


def test_label_smoothing_makes_a_model_less_sure(settings, tmp_path):
    def blank_share(**trainer) -> float:
        name = f"run{len(trainer)}"
        result, _ = train(settings(trainer={"max_epochs": 12} | trainer, run_dir=tmp_path / name))
        model = asr.load(result.model_dir, device="cpu").acoustic
        waveform = asr.audio.load(read_manifest(settings().data.dev)[0].audio_filepath, model.sample_rate)
        return float(model.log_probs([waveform])[0].max(axis=1).mean())

    assert blank_share(label_smoothing=0.2) < blank_share() - 0.1


def test_weight_noise_has_its_deviation_and_is_gone_afterwards():
    network = random_model().acoustic.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(3)
    tensors = noisy(network, 0.075)
    with replaced(network, tensors):
        inside = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    noise = torch.cat([(inside[name] - before[name]).flatten() for name in tensors])
    assert noise.std().item() == pytest.approx(0.075, rel=0.05)
    assert all(before[name].ndim > 1 for name in tensors)
    assert all(torch.equal(inside[name], before[name]) for name in before if name not in tensors)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    torch.manual_seed(3)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in noisy(network, 0.075).items())
    assert noisy(network, 0.0) == {}


def test_dropout_layer_by_layer():
    settings = dataclasses.replace(SMALL, num_layers=2, layer_dropout=(0.1, 0.2, 0.4))
    network = RecurrentCTC(settings, 13, 5)
    assert [block.dropout.p for block in network.blocks] == [0.1, 0.2]
    assert network.head[0].p == 0.4
    assert network.subsampling.dropout.p == SMALL.dropout
    assert compose(["model.layer_dropout=[0.1, 0.2, 0.3, 0.4]"]).model.dropouts == (0.1, 0.2, 0.3, 0.4)
    assert build(ModelSettings, {"layer_dropout": []}).dropouts == (0.3,) * 4
    with pytest.raises(ConfigError, match=r"has 2 numbers; 2 layers and the head need 3"):
        dataclasses.replace(SMALL, num_layers=2, layer_dropout=(0.1, 0.2))
    with pytest.raises(ConfigError, match=r"must lie in \[0, 1\)"):
        dataclasses.replace(SMALL, layer_dropout=(0.1, 1.0))
    with pytest.raises(ConfigError, match=r"layer_dropout=.*is no list|layer_dropout='much'"):
        build(Settings, {"model": {"layer_dropout": "much"}})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"accumulate": 0}, "accumulate must be positive"),
        ({"ema": 1.0}, "must be less than 1"),
        ({"weight_noise": -0.1}, "trainer.weight_noise=-0.1 must not be negative"),
        ({"average_of": "worst"}, "is not one of last, best"),
        ({"freeze": ("head",), "init_from": "m"}, "'head' is not one of subsampling, recurrent"),
        ({"freeze": ("recurrent",)}, "give trainer.init_from=MODEL too"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        TrainerSettings(**wrong)


# --- averages ----------------------------------------------------------------------------------------------


def test_a_moving_average_by_hand():
    module = torch.nn.Linear(1, 1, bias=False)
    average = MovingAverage(module, 0.9)
    for value in (1.0, 2.0, 4.0):
        torch.nn.init.constant_(module.weight, value)
        average.update(module)
    expected = (0.81 * 1 + 0.9 * 2 + 4) / (0.81 + 0.9 + 1)
    assert average.tensors()["weight"].item() == pytest.approx(expected)
    again = MovingAverage(torch.nn.Linear(1, 1, bias=False), 0.9)
    again.load_state_dict(average.state_dict())
    assert again.tensors()["weight"].item() == pytest.approx(expected)
    assert again.count == 3


def test_the_moving_average_is_what_is_scored_and_saved_and_the_steps_are_those_without_it(
    settings, tmp_path
):
    asked = settings(trainer={"ema": 0.9})
    plain = settings(run_dir=tmp_path / "plain")
    train(asked)
    train(plain)
    state = torch.load(Path(asked.run_dir) / "last.ckpt", weights_only=True)["state_dict"]
    raw = load_file(Path(plain.run_dir) / "last" / "weights.safetensors")
    saved = load_file(Path(asked.run_dir) / "last" / "weights.safetensors")
    assert all(torch.equal(state[f"acoustic.{name}"], tensor) for name, tensor in raw.items())
    assert any(not torch.equal(saved[name], tensor) for name, tensor in raw.items())
    dev = read_manifest(asked.data.dev)
    scored = evaluate(asr.load(Path(asked.run_dir) / "last", device="cpu"), dev)
    assert scored.words.rate == rows(asked)[-1]["dev_wer"]


HISTORY = [
    {"epoch": epoch, "dev_wer": wer, "dev_cer": 0.1} for epoch, wer in enumerate((0.9, 0.2, 0.5, 0.2, 0.4), 1)
]


def test_which_epochs_are_averaged():
    assert epochs.choose(HISTORY, 2, "last") == [4, 5]
    assert epochs.choose(HISTORY, 3, "best") == [2, 4, 5]
    assert epochs.choose(HISTORY, 1, "best") == [4], "of a tie the later, as for the best model"
    assert epochs.choose(HISTORY[:2], 5, "last") == [1, 2]


def test_the_weights_of_epochs_are_kept_as_long_as_they_are_wanted(tmp_path):
    modules = [torch.nn.Linear(3, 2) for _ in range(5)]
    for epoch, module in enumerate(modules, 1):
        epochs.keep(tmp_path, module, epochs.choose(HISTORY[:epoch], 2, "best"), epoch)
    assert len(list(tmp_path.iterdir())) == 2
    mean = epochs.mean(tmp_path, [2, 4])
    torch.testing.assert_close(mean["weight"], (modules[1].weight + modules[3].weight).detach() / 2)


def test_the_average_at_the_end_is_the_mean_of_the_last_epochs_and_becomes_the_best_if_no_worse(settings):
    asked = settings(trainer={"max_epochs": 10, "average": 3, "learning_rate": 2e-2})
    result, printed = train(asked)
    line = next(line for line in printed.splitlines() if line.startswith("the average of epochs 8, 9, 10:"))
    run = Path(asked.run_dir)
    kept = [load_file(path) for path in sorted((run / "epochs").iterdir())]
    best = load_file(run / "best" / "weights.safetensors")
    used = line.endswith("best")
    mean_is_best = all(
        torch.allclose(best[name], sum(one[name] for one in kept) / 3, atol=1e-6) for name in best
    )
    assert mean_is_best == used
    single = min(row["dev_wer"] for row in rows(asked))
    assert result.dev_wer <= single
    assert evaluate(asr.load(run, device="cpu"), read_manifest(asked.data.dev)).words.rate == result.dev_wer
    assert ("the average of epochs 8, 9, 10" in (run / "best" / "README.md").read_text()) == used


# --- longer runs, and other models to start from -----------------------------------------------------------


@pytest.mark.parametrize("schedule", ["constant", "noam", "plateau"])
def test_a_lengthened_run_is_the_long_run(settings, tmp_path, schedule):
    trainer = {"schedule": schedule, "plateau_patience": 1, "ema": 0.8, "accumulate": 2}
    short = settings(trainer=trainer | {"max_epochs": 2})
    train(short)
    long = settings(trainer=trainer | {"max_epochs": 5})
    _, printed = train(long)
    assert "lengthened from 2 to 5 epochs; it ends as a run of 5 from the start would" in printed
    whole = dataclasses.replace(long, run_dir=str(tmp_path / "whole"))
    train(whole)
    assert left_behind(long) == left_behind(whole)


def test_a_lengthened_cosine_says_that_the_rate_rises(settings):
    train(settings(trainer={"max_epochs": 3}))
    long = settings(trainer={"max_epochs": 6})
    _, printed = train(long)
    assert (
        "lengthened from 3 to 6 epochs; the learning rate rises to where the longer cosine has it" in printed
    )
    table = rows(long)
    assert [row["epoch"] for row in table] == [1, 2, 3, 4, 5, 6]
    assert table[3]["learning_rate"] > table[2]["learning_rate"]
    with pytest.raises(ConfigError, match=r"trainer.max_epochs: 6, now 5"):
        train(settings(trainer={"max_epochs": 5}))
    with pytest.raises(ConfigError, match=r"trainer.clip_norm: 5.0, now 1.0"):
        train(settings(trainer={"max_epochs": 9, "clip_norm": 1.0}))


def test_a_state_of_another_version_is_refused_in_one_sentence(settings):
    asked = settings(trainer={"max_epochs": 1})
    train(asked)
    path = Path(asked.run_dir) / "last.ckpt"
    state = torch.load(path, weights_only=True)
    del state["state_version"]
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r"another version of asr .* trainer.init_from="):
        train(settings(trainer={"max_epochs": 2}))


STORED = dataclasses.replace(FEATURES, cmvn="stored")


def test_a_model_to_start_from_gives_all_it_has(settings, tmp_path):
    first, _ = train(settings(features=STORED, trainer={"max_epochs": 8, "learning_rate": 2e-2}))
    # At this rate nothing moves: what is saved is what it began with.
    still = {"max_epochs": 1, "learning_rate": 1e-12, "init_from": str(first.model_dir)}
    asked = settings(
        features=STORED, trainer=still, run_dir=tmp_path / "second", data={"train": settings().data.dev}
    )
    _, printed = train(asked)
    assert f"starts from {first.model_dir}, with its alphabet and all of its weights" in printed
    before, after = (
        load_file(Path(d) / "weights.safetensors") for d in (first.model_dir, tmp_path / "second/last")
    )
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in before)
    assert rows(asked)[0]["dev_wer"] == first.dev_wer


def test_another_alphabet_takes_another_head_and_frozen_parts_keep_their_weights(settings, tmp_path):
    first, _ = train(settings(trainer={"max_epochs": 1}))
    other = [
        dataclasses.replace(one, text=one.text.replace("a", "z"))
        for one in read_manifest(settings().data.train)
    ]
    write_manifest(tmp_path / "z.jsonl", other)
    trainer = {"max_epochs": 2, "init_from": str(first.model_dir), "freeze": ("subsampling",)}
    data = dict.fromkeys(("train", "dev"), str(tmp_path / "z.jsonl"))
    asked = settings(trainer=trainer, run_dir=tmp_path / "second", data=data)
    _, printed = train(asked)
    assert f"starts from {first.model_dir}; the head is new, since that model cannot write 'z'" in printed
    before, after = (
        load_file(Path(d) / "weights.safetensors") for d in (first.model_dir, tmp_path / "second/last")
    )
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if "subsampling" in name} <= kept
    assert not any("blocks" in name and "weight" in name for name in kept)


def test_a_model_of_another_shape_is_no_start(settings, tmp_path):
    first, _ = train(settings(trainer={"max_epochs": 1}))
    asked = settings(
        model={"hidden_size": 32}, trainer={"init_from": str(first.model_dir)}, run_dir=tmp_path / "second"
    )
    with pytest.raises(
        ConfigError, match=r"that model has model.hidden_size: 24, now 32; give the same value"
    ):
        train(asked)
    assert not Path(asked.run_dir).exists()
