"""Half precision: fp16's scaled gradients, tried on the processor, where torch has them too but slow."""

import logging
from pathlib import Path

import pytest
import torch
from trainings import left_behind, make_settings, rows, train

from asr.errors import ConfigError
from asr.trainer_settings import TrainerSettings
from asr.training.module import CTCTraining
from asr.training.precision import doubt, scaler, unscale

FP16 = {"max_epochs": 2, "precision": "fp16"}


class Crash(Exception):
    pass


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


@pytest.fixture
def on_the_processor(monkeypatch):
    """Lifts the refusal, and starts at another scale than torch would."""

    def start(scale: float) -> None:
        monkeypatch.setattr("asr.training.parts.refuse_unfit", lambda _: None)
        monkeypatch.setattr(
            "asr.training.module.scaler", lambda _: torch.amp.GradScaler("cpu", init_scale=scale)
        )

    return start


def test_fp16_without_an_nvidia_gpu_is_refused(settings):
    asked = settings(trainer=FP16)
    with pytest.raises(ConfigError, match=r"^trainer.precision=fp16 needs an NVIDIA GPU; use bf16 or 32\.$"):
        train(asked)
    assert not Path(asked.run_dir).exists()


@pytest.mark.parametrize(
    ("precision", "has_bf16", "is_said"), [("bf16", False, True), ("bf16", True, False), ("32", False, False)]
)
def test_bf16_on_a_processor_without_it_is_doubted(monkeypatch, precision, has_bf16, is_said):
    monkeypatch.setattr("asr.training.precision.has_bf16", lambda: has_bf16)
    said = doubt(TrainerSettings(precision=precision, device="cpu"))
    assert bool(said) == is_said
    assert not said or said.endswith(": use 32.")


def test_scaled_gradients_are_unscaled_before_they_are_clipped(settings, on_the_processor, tmp_path):
    plain = settings(trainer={"max_epochs": 2, "clip_norm": 0.5}, run_dir=tmp_path / "plain")
    scaled = settings(trainer=FP16 | {"clip_norm": 0.5})
    train(plain)
    on_the_processor(256.0)
    train(scaled)
    for ours, theirs in zip(rows(scaled), rows(plain), strict=True):
        assert ours["left_out"] == 0
        assert ours["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=0.05)
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.02)


def test_an_overflow_halves_the_scale_moves_nothing_and_blames_nobody(
    settings, on_the_processor, monkeypatch, caplog
):
    scales, weights = [], []
    step = CTCTraining._step

    def watched(self):
        before = [weight.detach().clone() for weight in self.parameters()]
        scales.append(self.scaler.get_scale())
        step(self)
        weights.append(all(map(torch.equal, before, self.parameters())))

    monkeypatch.setattr(CTCTraining, "_step", watched)
    on_the_processor(2.0**40)
    asked = settings(trainer=FP16 | {"max_epochs": 1})
    with caplog.at_level(logging.WARNING):
        train(asked)
    assert scales == [2.0**power for power in (40, 39, 38, 37, 36)]
    assert all(weights)
    assert rows(asked)[0]["left_out"] == 0
    assert "not finite" not in caplog.text


def test_at_a_scale_of_one_an_overflow_is_the_data_s(settings):
    def used(scale: float) -> torch.amp.GradScaler:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        scaler.scale(torch.ones(1))
        return scaler

    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for scale, expected in ((4.0, True), (1.0, False)):
        weight.grad = torch.tensor([1.0, float("inf")])
        assert unscale(used(scale), optimizer) is expected
    weight.grad = torch.tensor([8.0, 4.0])
    assert not unscale(used(4.0), optimizer)
    assert weight.grad.tolist() == [2.0, 1.0]
    assert not unscale(scaler(settings().trainer), optimizer)
    assert weight.grad.tolist() == [2.0, 1.0]


def test_the_scale_goes_on_where_it_was(settings, on_the_processor, monkeypatch, tmp_path):
    on_the_processor(2.0**15)  # overflows at first
    asked, whole = settings(trainer=FP16), settings(trainer=FP16, run_dir=tmp_path / "whole")
    train(whole)
    assert torch.load(Path(whole.run_dir) / "last.ckpt")["scaler"]["scale"] < 2.0**15
    with monkeypatch.context() as patch:
        step = CTCTraining._step

        def crashing(self):
            if self.global_step == 7:
                raise Crash
            step(self)

        patch.setattr(CTCTraining, "_step", crashing)
        with pytest.raises(Crash):
            train(asked)
    train(asked)
    assert left_behind(asked) == left_behind(whole)
