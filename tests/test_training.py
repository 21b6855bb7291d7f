"""Trainings of a toy language, whole: what they leave behind, how they end, and that nothing stops them for good."""

import dataclasses
import functools
import io
import logging
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console
from toys import FEATURES, RATE, random_model, utter
from trainings import AUGMENT, rows, settings_for, train, weights, without_seconds, write_sets

import asr
from asr import training
from asr.errors import ConfigError
from asr.evaluation import evaluate
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.models.losses import ctc_losses
from asr.settings import Settings, build, load_yaml, save_yaml
from asr.trainer_settings import TrainerSettings
from asr.training.module import CTCTraining
from asr.training.scorer import DevScorer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_sets(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def settings(corpus, tmp_path):
    """A function that makes settings: groups of changes over a training of a second or two."""
    return functools.partial(settings_for, corpus, tmp_path / "run")


# --- what a training leaves behind -------------------------------------------------------------------------


def test_four_clips_are_learned_by_heart(settings, corpus):
    manifest = str(corpus / "four" / "manifest.jsonl")
    trainer = {"max_epochs": 70, "learning_rate": 2e-2, "warmup_epochs": 5.0}
    result, _ = train(
        settings(data={"train": manifest, "dev": manifest}, model={"dropout": 0.0}, trainer=trainer)
    )
    assert result.dev_wer == 0.0


def test_the_run_directory_holds_models_curves_and_settings(settings):
    asked = settings(trainer={"watch_gradients": True})
    result, printed = train(asked)
    run = Path(asked.run_dir)
    expected = {"best", "last", "config.yaml", "data.json", "metrics.csv", "tensorboard", "last.ckpt"}
    expected |= {"report.html", "metrics.json", "gradients.png"}
    assert {path.name for path in run.iterdir()} == expected
    assert build(Settings, load_yaml(run / "config.yaml")) == asked
    assert list((run / "tensorboard").glob("events.*"))
    table = rows(asked)
    assert [row["epoch"] for row in table] == [1, 2, 3, 4]
    assert table[-1]["loss"] < table[0]["loss"]
    assert all(row["left_out"] == 0 and row["gradient_norm"] > 0 for row in table)
    assert [line.split()[1] for line in printed.splitlines() if line.startswith("epoch")] == [
        "1/4",
        "2/4",
        "3/4",
        "4/4",
    ]
    assert result.model_dir == run / "best"
    assert not result.interrupted
    assert result.minutes > 0
    card = (run / "best" / "README.md").read_text()
    assert f"epoch | {result.best_epoch}," in card
    assert f"%WER {100 * result.dev_wer:.2f} [" in card


def test_the_best_model_scores_what_the_training_said(settings):
    asked = settings(trainer={"max_epochs": 24, "learning_rate": 1e-2}, augment=AUGMENT)
    result, _ = train(asked)
    table = rows(asked)
    best = min(table, key=lambda row: (row["dev_wer"], row["dev_cer"], -row["epoch"]))  # ties: the later
    assert (best["epoch"], best["dev_wer"]) == (result.best_epoch, result.dev_wer)
    dev = read_manifest(asked.data.dev)
    for model in (asked.run_dir, result.model_dir):
        evaluation = evaluate(asr.load(model, device="cpu"), dev, batch_size=3)
        assert (evaluation.words.rate, evaluation.characters.rate) == (best["dev_wer"], best["dev_cer"])
    last = evaluate(asr.load(Path(asked.run_dir) / "last", device="cpu"), dev)
    assert last.words.rate == table[-1]["dev_wer"]
    assert last.words.rate < 1


def test_a_seed_gives_one_training_and_another_seed_another(settings, tmp_path):
    asked = settings(augment=AUGMENT, trainer={"max_epochs": 2})
    again = dataclasses.replace(asked, run_dir=str(tmp_path / "again"))
    other = dataclasses.replace(asked, run_dir=str(tmp_path / "other"), seed=2)
    for each in (asked, again, other):
        train(each)
    assert weights(asked) == weights(again) != weights(other)
    assert without_seconds(rows(asked)) == without_seconds(rows(again))


def test_workers_and_the_cache_change_no_result(settings, tmp_path):
    asked = settings(augment=AUGMENT, trainer={"max_epochs": 2})
    train(asked)
    data = dataclasses.replace(asked.data, num_workers=2, cache_audio=False)
    other = dataclasses.replace(asked, data=data, run_dir=str(tmp_path / "other"))
    train(other)
    assert weights(asked) == weights(other)


def test_statistics_of_the_training_set_are_stored_with_the_model(settings):
    asked = settings(
        features=dataclasses.replace(FEATURES, cmvn="stored", delta_order=1), trainer={"max_epochs": 2}
    )
    result, _ = train(asked)
    front_end = asr.load(result.model_dir, device="cpu").acoustic.front_end
    assert front_end.mean.abs().max() > 0.1
    assert front_end.std.min() > 0
    assert torch.unique(front_end.std).numel() > 5


# --- interruptions -----------------------------------------------------------------------------------------


class Crash(Exception):
    pass


def crash_at(monkeypatch, step: int) -> None:
    original = CTCTraining.training_step

    def training_step(self, batch, batch_idx):
        if self.global_step == step:
            raise Crash
        return original(self, batch, batch_idx)

    monkeypatch.setattr(CTCTraining, "training_step", training_step)


PLAN = {
    "cosine": {"schedule": "cosine"},
    "plateau": {"schedule": "plateau", "plateau_patience": 1, "learning_rate": 1e-5},
}


@pytest.mark.parametrize("schedule", PLAN)
def test_a_run_that_crashed_ends_as_one_that_did_not(settings, tmp_path, monkeypatch, schedule):
    asked = settings(
        augment=AUGMENT, features=dataclasses.replace(FEATURES, dither=5.0), trainer=PLAN[schedule]
    )
    whole = dataclasses.replace(asked, run_dir=str(tmp_path / "whole"))
    expected, _ = train(whole)
    for step in (2, 9, 14):
        with monkeypatch.context() as patch:
            crash_at(patch, step)
            with pytest.raises(Crash):
                train(asked)
        # What happens between a crash and the next start must not matter.
        torch.manual_seed(step)
        np.random.seed(step)
    result, _ = train(asked)
    assert weights(asked) == weights(whole)
    assert weights(asked, "best") == weights(whole, "best")
    assert without_seconds(rows(asked)) == without_seconds(rows(whole))
    assert (result.dev_wer, result.best_epoch) == (expected.dev_wer, expected.best_epoch)


@pytest.mark.parametrize("save_minutes", [0, 1e-9])
def test_a_crash_between_scoring_and_saving_the_state_is_survived(
    settings, tmp_path, monkeypatch, save_minutes
):
    asked = settings(augment=AUGMENT, trainer={"save_minutes": save_minutes})
    whole = dataclasses.replace(asked, run_dir=str(tmp_path / "whole"))
    train(whole)
    adapt = DevScorer._adapt

    def crash_in_epoch_2(self, module):
        if len(self.history) == 2:
            raise Crash
        adapt(self, module)

    with monkeypatch.context() as patch:
        patch.setattr(DevScorer, "_adapt", crash_in_epoch_2)
        with pytest.raises(Crash):
            train(asked)
    train(asked)
    assert weights(asked) == weights(whole)
    assert without_seconds(rows(asked)) == without_seconds(rows(whole))


def test_a_finished_run_is_left_as_it_is(settings):
    asked = settings(trainer={"max_epochs": 2})
    first, _ = train(asked)
    before, table = weights(asked), rows(asked)
    second, printed = train(asked)
    assert weights(asked) == before
    assert rows(asked) == table
    assert (second.dev_wer, second.best_epoch, second.model_dir) == (
        first.dev_wer,
        first.best_epoch,
        first.model_dir,
    )
    assert "epoch " not in printed.replace("an epoch ", "")


CHILD = """
import sys
from asr.settings import Settings, build, load_yaml
from asr.training import train
print("interrupted" if train(build(Settings, load_yaml(sys.argv[1]))).interrupted else "finished")
"""


def start(settings: Settings, tmp_path: Path) -> subprocess.Popen:
    save_yaml(settings, tmp_path / "asked.yaml")
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "asked.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen, pattern: str) -> str:
    """What the process has said up to the first line that matches."""
    said = ""
    for line in process.stderr:
        said += line
        if re.search(pattern, line):
            return said
    raise AssertionError(f"it ended without {pattern!r}: {said}")


def test_a_killed_process_goes_on_to_the_same_weights(settings, tmp_path):
    asked = settings(augment=AUGMENT, trainer={"max_epochs": 15})
    whole = dataclasses.replace(asked, run_dir=str(tmp_path / "whole"))
    train(whole)
    process = start(asked, tmp_path)
    wait_for(process, r"epoch +3/")
    time.sleep(0.1)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(rows(asked)) < 15
    assert asr.load(asked.run_dir, device="cpu")
    train(asked)
    assert weights(asked) == weights(whole)
    assert without_seconds(rows(asked)) == without_seconds(rows(whole))


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_leaves_a_usable_model_and_says_so(settings, tmp_path, number, name):
    asked = settings(trainer={"max_epochs": 2000})
    process = start(asked, tmp_path)
    wait_for(process, r"epoch +2/")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, "interrupted\n")
    assert f"{name}: scoring and saving what there is; once more to leave at once." in stderr
    assert "Traceback" not in stderr
    dev = read_manifest(asked.data.dev)
    for kept in ("best", "last"):
        evaluation = evaluate(asr.load(Path(asked.run_dir) / kept, device="cpu"), dev)
        assert not evaluation.failures


def interrupt_at(monkeypatch, step: int) -> None:
    original = CTCTraining.training_step

    def training_step(self, batch, batch_idx):
        if self.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(CTCTraining, "training_step", training_step)


@pytest.mark.parametrize("step", [1, 7, 9])
def test_an_interrupted_run_ends_as_one_that_was_not(settings, tmp_path, monkeypatch, step):
    asked = settings(augment=AUGMENT, trainer={"average": 2})
    whole = dataclasses.replace(asked, run_dir=str(tmp_path / "whole"))
    train(whole)
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        result, printed = train(asked)
    assert result.interrupted
    assert signal.getsignal(signal.SIGINT) == handler
    # Five steps make an epoch, and one that was whole when the signal came counts.
    assert ("cut short" in printed) == (step != 9)
    assert asr.load(result.model_dir, device="cpu")
    result, _ = train(asked)
    assert not result.interrupted
    assert weights(asked) == weights(whole)
    assert weights(asked, "best") == weights(whole, "best")
    assert without_seconds(rows(asked)) == without_seconds(rows(whole))


# --- how it ends, and how fast it learns -------------------------------------------------------------------


def test_training_stops_early_and_stays_stopped(settings):
    # At this rate nothing changes: no epoch is better than the first, and of the ties the last is kept.
    asked = settings(trainer={"learning_rate": 1e-12, "max_epochs": 20, "patience": 2})
    result, printed = train(asked)
    assert result.best_epoch == 3
    assert len(rows(asked)) == 3
    assert "No better dev WER for 2 epochs: stopping early." in printed
    before = weights(asked)
    again, printed = train(asked)
    assert (again.best_epoch, len(rows(asked)), weights(asked)) == (3, 3, before)
    assert "stopping early" in printed


def test_a_plateau_halves_the_rate(settings):
    trainer = {"learning_rate": 1e-12, "schedule": "plateau", "plateau_patience": 2, "max_epochs": 7}
    asked = settings(trainer=trainer | {"warmup_epochs": 0.0})
    train(asked)
    rates = [row["learning_rate"] / 1e-12 for row in rows(asked)]
    # Stalled for 2 epochs after the third and for 4 after the fifth.
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25, 0.25])


def rates(steps, **trainer) -> list[float]:
    module = CTCTraining(
        random_model().acoustic, Settings(trainer=TrainerSettings(**trainer)), [], steps_per_epoch=10
    )
    return [module.rate(step) for step in steps]


def test_warm_up_and_cosine_by_hand():
    cosine = {"schedule": "cosine", "warmup_epochs": 2.0, "max_epochs": 40}
    assert rates([0, 9, 19], **cosine) == pytest.approx([1 / 21, 10 / 21, 20 / 21])
    # From step 20 to step 400: whole, a third, a half, nothing.
    assert rates([20, 210, 400, 500], **cosine) == pytest.approx([1, 0.5, 0, 0])
    assert rates([20 + 380 // 4], **cosine) == pytest.approx([(1 + math.sqrt(0.5)) / 2])
    assert rates([0, 5, 10], schedule="constant", warmup_epochs=1.0) == pytest.approx([1 / 11, 6 / 11, 1])
    assert rates([0], schedule="constant", warmup_epochs=0.0) == [1]
    # A warm-up longer than the training never divides by nothing.
    assert all(0 < rate <= 1 for rate in rates(range(10), **cosine | {"max_epochs": 1}))


def test_the_rate_that_was_asked_for_is_the_rate_of_the_steps(settings):
    asked = settings(trainer={"max_epochs": 3, "schedule": "constant", "learning_rate": 3e-3})
    train(asked)
    assert [row["learning_rate"] for row in rows(asked)][1:] == pytest.approx([3e-3, 3e-3])


def test_biases_and_norms_do_not_decay(settings):
    module = CTCTraining(random_model().acoustic, settings(), [], 10)
    matrices, vectors = module.configure_optimizers().param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (1e-2, 0.0)
    assert all(weight.ndim > 1 for weight in matrices["params"])
    assert all(weight.ndim == 1 for weight in vectors["params"])
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(module.parameters()))


# --- what is wrong with the data ---------------------------------------------------------------------------


def test_what_is_left_out_is_named(settings, corpus, tmp_path):
    good = read_manifest(corpus / "train" / "manifest.jsonl")[:6]
    long_path = str(tmp_path / "[long] " / ("a" * 90) / "short.wav")
    Path(long_path).parent.mkdir(parents=True)
    soundfile.write(long_path, utter("a")[:800], RATE)
    bad = [
        dataclasses.replace(good[0], text="..."),
        Utterance(long_path, 0.1, "ab cd ab cd ab cd"),
        Utterance(str(tmp_path / "lost.wav"), 1.0, "ab"),
    ]
    write_manifest(tmp_path / "m.jsonl", [*good, *bad])
    asked = settings(data={"train": str(tmp_path / "m.jsonl")}, trainer={"max_epochs": 1})
    _, printed = train(asked)
    assert f"left out: {good[0].audio_filepath}: its text is empty\n" in printed
    assert f"left out: {long_path}: its text needs 17 frames and the model has 4;" in printed
    assert f"left out: {tmp_path / 'lost.wav'}: its file is missing\n" in printed
    assert "6 utterances" in printed


@pytest.fixture
def with_a_lie(corpus, tmp_path) -> Path:
    """A manifest with an utterance that claims three seconds and has a tenth, too short for its text."""
    soundfile.write(tmp_path / "lie.wav", utter("a")[:800], RATE)
    good = read_manifest(corpus / "train" / "manifest.jsonl")[:8]
    lie = Utterance(str(tmp_path / "lie.wav"), 1.5, "ab cd ab cd ab")
    write_manifest(tmp_path / "lie.jsonl", [*good, lie])
    return tmp_path / "lie.jsonl"


@pytest.mark.parametrize("batch_seconds", [60.0, 0.1])
def test_a_loss_that_is_not_finite_is_named_left_out_and_counted(settings, with_a_lie, caplog, batch_seconds):
    # With others in its batch, and alone in a batch that then takes no step.
    data = {"train": str(with_a_lie), "batch_seconds": batch_seconds}
    asked = settings(data=data, trainer={"max_epochs": 3})
    with caplog.at_level(logging.WARNING):
        train(asked)
    named = [record.getMessage() for record in caplog.records if "lie.wav" in record.getMessage()]
    assert len(named) == 3
    assert named[0].endswith("lie.wav: its loss is not finite; left out of this step.")
    table = rows(asked)
    assert [row["left_out"] for row in table] == [1, 2, 3]
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["gradient_norm"]) for row in table)
    assert table[-1]["loss"] < table[0]["loss"]


def test_the_others_of_its_batch_learn_as_if_it_were_not_there(settings, with_a_lie):
    def gradients(batch) -> list[torch.Tensor]:
        torch.manual_seed(0)
        # float64: how float32 rounds in batches of two and of three differs from processor to processor.
        acoustic = random_model().acoustic.eval().double()
        module = CTCTraining(acoustic, settings(), read_manifest(with_a_lie), 1)
        module.losses(batch._replace(features=batch.features.double()))[0].mean().backward()
        return [weight.grad for weight in module.parameters()]

    from asr.data import SpeechDataset, collate
    from asr.features import FrontEnd
    from asr.text import TextSettings

    data = SpeechDataset(
        read_manifest(with_a_lie), FrontEnd(FEATURES), random_model().vocabulary, TextSettings()
    )
    with_lie = gradients(collate([data[0], data[8], data[1]]))
    without = gradients(collate([data[0], data[1]]))
    for ours, theirs in zip(with_lie, without, strict=True):
        assert ours.isfinite().all()
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_an_epoch_in_which_nothing_can_be_learned_is_survived(settings, with_a_lie):
    lie = read_manifest(with_a_lie)[-1]
    write_manifest(with_a_lie, [lie])
    asked = settings(data={"train": str(with_a_lie)}, trainer={"max_epochs": 2})
    # No text of dev but its own letters.
    train(asked)
    assert [row["left_out"] for row in rows(asked)] == [1, 2]
    assert all(math.isnan(row["loss"]) for row in rows(asked))


def test_a_gradient_that_is_not_finite_takes_no_step(settings, monkeypatch, caplog):
    def steep(log_probs, lengths, targets, target_lengths):
        losses = ctc_losses(log_probs, lengths, targets, target_lengths)
        # Adds nothing, with an infinite slope.
        return losses + (losses - losses.detach()).clamp(min=0).sqrt()

    asked = settings(trainer={"max_epochs": 1})
    before = training.parts.Parts(asked, Console(file=io.StringIO())).module.acoustic.state_dict()
    monkeypatch.setattr("asr.models.network.ctc_losses", steep)
    with caplog.at_level(logging.WARNING):
        result, _ = train(asked)
    after = asr.load(result.model_dir, device="cpu").acoustic.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert rows(asked)[0]["left_out"] == 24
    assert "its gradient is not finite" in caplog.text


def test_ctc_losses_by_hand():
    # Two frames, one label: the paths are (a a), (a -), (- a) of four equally likely symbols.
    log_probs = torch.full((2, 2, 4), math.log(0.25))
    losses = ctc_losses(log_probs, torch.tensor([2, 1]), torch.tensor([[1], [2]]), torch.tensor([1, 1]))
    assert losses.tolist() == pytest.approx([-math.log(3 / 16), math.log(4)])
    impossible = ctc_losses(
        log_probs, torch.tensor([2, 2]), torch.tensor([[1, 1], [1, 2]]), torch.tensor([2, 2])
    )
    assert impossible.isinf().tolist() == [True, False]


# --- what is refused, and what is only tried ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["train", "dev"])
def test_a_set_that_is_not_given_is_asked_for_before_anything_is_written(settings, name):
    asked = settings(data={name: None})
    with pytest.raises(ConfigError, match=rf"data.{name} is not set; give data.{name}=MANIFEST"):
        train(asked)
    assert not Path(asked.run_dir).exists()


def test_other_settings_in_the_same_folder_are_refused_by_name(settings):
    asked = settings(trainer={"max_epochs": 1})
    train(asked)
    before = weights(asked)
    other = settings(trainer={"max_epochs": 1, "weight_decay": 0.5})
    with pytest.raises(
        ConfigError, match=r"run holds .*trainer.weight_decay: 0.01, now 0.5.*another run_dir="
    ):
        train(other)
    assert weights(asked) == before
    assert build(Settings, load_yaml(Path(asked.run_dir) / "config.yaml")) == asked


def test_other_data_under_the_same_names_are_refused(settings, tmp_path):
    asked = settings(trainer={"max_epochs": 1})
    train(asked)
    before, lines = weights(asked), Path(asked.data.train).read_text().splitlines(keepends=True)
    Path(asked.data.train).write_text("".join(lines[1:]))
    with pytest.raises(ConfigError, match=r"run holds a training on other data \(data\.train has changed"):
        train(settings(trainer={"max_epochs": 2}))
    assert weights(asked) == before


def test_settings_that_change_no_result_may_differ(settings, monkeypatch, tmp_path):
    asked = settings(trainer={"max_epochs": 1})
    train(asked)
    monkeypatch.chdir(tmp_path)
    data = dataclasses.replace(asked.data, cache_audio=False, num_workers=1, test="test.jsonl")
    trainer = dataclasses.replace(asked.trainer, threads=0)
    train(dataclasses.replace(asked, data=data, trainer=trainer, run_dir="run"))


def test_a_speed_is_measured_without_a_trace(settings):
    asked = settings()
    assert 0 < training.measure_speed(asked) < float("inf")
    assert not Path(asked.run_dir).exists()


def test_a_dry_run_measures_the_longest_batch_and_writes_nothing(settings):
    asked = settings(augment=AUGMENT)
    tried = training.dry_run(asked, console=Console(file=io.StringIO()))
    assert not Path(asked.run_dir).exists()
    assert tried.seconds > 0
    assert 0 < tried.audio_seconds <= 6.0
    assert tried.peak_bytes > 10_000_000
    assert tried.batches_per_epoch > 1
    assert tried.num_parameters == sum(p.numel() for p in random_model().acoustic.parameters())


def test_bf16_trains_where_the_processor_has_it(settings):
    asked = settings(trainer={"max_epochs": 2, "precision": "bf16"})
    train(asked)
    assert all(math.isfinite(row["loss"]) for row in rows(asked))
