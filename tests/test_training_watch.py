"""What a training tells while there is time, and what it leaves to read: doubts, gradients, the report."""

import csv
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toys import RATE, random_model, write_corpus
from trainings import make_settings, rows, train

from asr.corpus.check import Requirements, check
from asr.corpus.listen import believe
from asr.data import Batch
from asr.features import FeatureSettings
from asr.manifest import read_manifest, write_manifest
from asr.model_settings import CELLS
from asr.models import ModelSettings, RecurrentCTC
from asr.models.recurrent import RecurrentLayer
from asr.settings import save_yaml
from asr.text import TextSettings
from asr.training.doubts import corpus_doubts, new_doubts, repeats
from asr.training.gradients import Unrolled, measure
from asr.training.module import CTCTraining
from asr.training.run_report import curve


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


# --- gradients ---------------------------------------------------------------------------------------------


def network(cell: str, **changes) -> RecurrentCTC:
    torch.manual_seed(1)
    shape = {"num_layers": 2, "hidden_size": 32, "num_channels": 16, "subsampling": 1} | changes
    return RecurrentCTC(ModelSettings(cell=cell, **shape), 13, 6)


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(2)
    return Batch(
        torch.randn(2, 60, 13),
        torch.tensor([60, 50]),
        torch.randint(1, 6, (2, 8)),
        torch.tensor([8, 6]),
        torch.arange(2),
    )


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_frame_by_frame_gives_the_same_answer(cell, bidirectional):
    layer = RecurrentLayer(cell, 5, 7, bidirectional)
    inputs, lengths = torch.randn(3, 9, 5), torch.tensor([9, 4, 1])
    unrolled = Unrolled(layer)
    torch.testing.assert_close(unrolled(inputs, lengths), layer(inputs, lengths))
    assert len(unrolled.ahead) == 9
    assert len(unrolled.behind) == (9 if bidirectional else 0)


def test_the_gradient_through_time_is_the_product_of_the_jacobians(batch):
    net = network("rnn_tanh", num_layers=1, bidirectional=False, layer_norm=False, dropout=0.0)
    found = measure(net, batch).by_distance[0]
    rnn, weights = net.blocks[0].layer.ahead, net.head[-1].weight
    expected = np.zeros(60)
    for row, end in enumerate([60, 50]):
        hidden, _ = net.subsampling(batch.features[row : row + 1, :end], torch.tensor([end]))
        states = rnn(hidden)[0][0]
        scores = (weights @ states[-1] + net.head[-1].bias).softmax(0)
        gradient = weights.T @ (1 / 6 - scores)  # of the mean log_prob
        first = gradient.norm()
        for distance in range(end):
            expected[distance] += (gradient.norm() / first / (1 + (distance < 50))).item()
            # h(t) = tanh(W x + U h(t - 1)): one frame back is U' diag(1 - h^2).
            gradient = rnn.weight_hh_l0.T @ ((1 - states[end - 1 - distance] ** 2) * gradient)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-12)


def test_gates_carry_the_gradient_and_a_plain_recurrence_loses_it(batch):
    left = {cell: measure(network(cell), batch).by_distance[:, 30] for cell in ("rnn_tanh", "gru", "lstm")}
    assert (left["rnn_tanh"] < 1e-8).all()
    assert (left["gru"] > 1e4 * left["rnn_tanh"]).all()
    assert (left["lstm"] > 1e4 * left["rnn_tanh"]).all()


def test_large_recurrent_weights_let_it_explode(batch):
    net = network("rnn_relu", bidirectional=False)
    before = measure(net, batch)
    with torch.no_grad():
        for block in net.blocks:
            block.layer.ahead.weight_hh_l0.copy_(1.3 * torch.eye(32))
    after = measure(net, batch)
    assert after.by_distance[1, 30] > 100 > 1 > before.by_distance[1, 30]
    assert after.of_parts["recurrent_2"] > 10 * before.of_parts["recurrent_2"]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_measuring_changes_nothing_and_counts_each_part(batch, bidirectional):
    net = network("lstm", bidirectional=bidirectional).train()
    net.subsampling.requires_grad_(False)
    before = {name: weight.clone() for name, weight in net.state_dict().items()}
    layers = [block.layer for block in net.blocks]
    found = measure(net, batch)
    assert net.training
    assert all(weight.grad is None for weight in net.parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())
    assert [block.layer for block in net.blocks] == layers
    assert found.of_frames.shape == found.by_distance.shape == (2, 60)
    assert (found.of_frames > 0).all()
    assert found.of_parts["subsampling"] == 0 < found.of_parts["recurrent_1"]
    net.subsampling.requires_grad_(True)
    net.eval()
    log_probs, lengths = net(batch.features, batch.feature_lengths)
    loss = torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1), batch.targets, lengths, batch.target_lengths, reduction="none"
    )
    loss.mean().backward()
    head = torch.cat([weight.grad.flatten() for weight in net.head.parameters()]).norm()
    assert found.of_parts["head"] == pytest.approx(head.item(), rel=1e-4)


def test_the_norms_are_drawn_and_stand_in_every_table(settings):
    asked = settings(trainer={"max_epochs": 2, "watch_gradients": True})
    train(asked)
    run = Path(asked.run_dir)
    assert (run / "gradients.png").read_bytes().startswith(b"\x89PNG")
    table = rows(asked)
    assert all(row["gradient_recurrent_1"] > 0 and row["reach_recurrent_1"] > 0 for row in table)
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    written = [scalar.value for scalar in events.Scalars("gradient_head")]
    assert written == pytest.approx([row["gradient_head"] for row in table])


# --- doubts before the first step --------------------------------------------------------------------------

REQUIREMENTS = Requirements(FeatureSettings(sample_rate=RATE), 2, TextSettings())


def test_what_dev_repeats_of_train_is_one_sentence(tmp_path):
    one = write_corpus(tmp_path / "a", ["ab cd", "dc", "bad", "ab"])
    train_set = [dataclasses.replace(utterance, speaker="x") for utterance in one]
    two = write_corpus(tmp_path / "b", ["dc", "cd cd", "dc dc", "bad bad"])
    dev = [dataclasses.replace(two[0], speaker="x"), *two[1:3], train_set[3]]
    # Another name for the same recording is the same recording.
    copy = tmp_path / "copy.wav"
    copy.write_bytes(Path(train_set[3].audio_filepath).read_bytes())
    dev[3] = dataclasses.replace(dev[3], audio_filepath=str(copy))
    assert repeats(dev, train_set).startswith(
        "dev: 50 % of its sentences, 50 % of its speakers, 25 % of its recordings are in train"
    )
    assert repeats(two[1:], train_set) == ""


def test_defects_that_show_without_decoding_are_one_sentence_a_kind(tmp_path):
    good = write_corpus(tmp_path / "a", ["ab cd", "dc", "bad"])
    lost = dataclasses.replace(good[0], audio_filepath=str(tmp_path / "lost.wav"), text="ab ab")
    fast = [dataclasses.replace(good[1], text="abcd " * 30, duration=3.0) for _ in range(3)]
    manifests = {
        "train": [*good, *fast],
        "dev": [lost],
        "test": [dataclasses.replace(good[2], text="bad dog")],
    }
    said = "\n".join(corpus_doubts(manifests, REQUIREMENTS))
    assert "train: " in said
    assert "149 characters in 3.00 s is no speaking rate" in said
    assert "(and 2 more such; `asr data check` names all)" in said
    assert f"dev: {lost.audio_filepath}: cannot be read" in said
    assert "test: " in said
    assert "no symbol is known for 'o' (U+006F), 'g' (U+0067)" in said


def test_believing_a_manifest_decodes_nothing(tmp_path):
    (one,) = write_corpus(tmp_path, ["ab"])
    sound = Path(one.audio_filepath).read_bytes()
    Path(one.audio_filepath).write_bytes(sound[:2000])
    assert [defect.kind for defect in check({"train": [one]}, REQUIREMENTS)] == ["duration"]
    assert check({"train": [one]}, REQUIREMENTS, hear=believe) == []


def test_a_training_says_what_it_doubts_first(settings):
    asked = settings(trainer={"max_epochs": 1})
    _, printed = train(asked)
    texts = {utterance.text for utterance in read_manifest(asked.data.train)}
    dev = read_manifest(asked.data.dev)
    share = sum(utterance.text in texts for utterance in dev) / len(dev)
    assert printed.startswith(f"dev: {100 * share:.0f} % of its sentences are in train too")


TIGHT = """
import resource, sys
from asr.cli import main
from asr.settings import Settings, build, load_yaml
from asr import training
settings = build(Settings, load_yaml(sys.argv[1]))
training.parts.Parts(settings, training.fit.Console(stderr=True)).model  # what is imported late, is imported
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, 2 * (used + 2**28,))
try:
    training.train(settings)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_a_batch_too_large_for_memory_is_one_sentence_that_names_the_setting(settings, tmp_path):
    utterances = 10 * read_manifest(settings().data.train)
    write_manifest(tmp_path / "many.jsonl", utterances)
    asked = settings(
        model={"num_channels": 512, "subsampling": 1},
        data={"train": str(tmp_path / "many.jsonl"), "batch_seconds": 1000.0, "batch_utterances": 1000},
        trainer={"accumulate": 2},
    )
    save_yaml(asked, tmp_path / "asked.yaml")
    command = [sys.executable, "-c", TIGHT, str(tmp_path / "asked.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = len(utterances) * max(utterance.duration for utterance in utterances)
    assert done.stdout == (
        f"ConfigError The longest batch (240 utterances, {seconds:.0f} s with padding) does not fit into memory; "
        f"data.batch_seconds={seconds / 2:.0f} trainer.accumulate=4 needs half of it and takes the same steps.\n"
    )
    assert not Path(asked.run_dir).exists()


# --- doubts after an epoch ---------------------------------------------------------------------------------


def module_for(settings, **trainer) -> CTCTraining:
    return CTCTraining(random_model().acoustic, settings(trainer=trainer), [], steps_per_epoch=10)


def said_after_each(module: CTCTraining, history) -> list[list[str]]:
    return [list(new_doubts(history[:end], 6, module)) for end in range(1, len(history) + 1)]


def epoch(loss: float, wer: float = 0.5, empty: int = 0) -> dict[str, float]:
    return {"loss": loss, "dev_wer": wer, "dev_empty": empty}


def test_a_loss_that_does_not_fall_is_said_once(settings):
    module = module_for(settings, max_epochs=100)
    falling = [epoch(10.0 - number) for number in range(3)]
    history = [*falling, *[epoch(8.0 + number / 10) for number in range(12)]]
    said = said_after_each(module, history)
    assert [len(each) for each in said] == [0] * 7 + [1] + [0] * 7
    assert "has got better for 5 epochs" in said[7][0]
    assert "trainer.learning_rate=0.003" in said[7][0]


def test_a_dev_wer_that_falls_is_no_reason_to_doubt(settings):
    module = module_for(settings, max_epochs=100)
    assert not any(said_after_each(module, [epoch(8.0, 1 - number / 100) for number in range(20)]))
    assert not any(said_after_each(module, [epoch(20.0 - number, 0.3) for number in range(20)]))
    # Nothing is better than no error.
    assert not any(said_after_each(module, [epoch(8.0, 0.0)] * 20))
    # An epoch without a finite loss is not low.
    assert any(said_after_each(module, [epoch(8.0)] + [epoch(float("nan"))] * 6))


def test_nothing_but_blanks_for_long_is_said_once(settings):
    module = module_for(settings, max_epochs=1000)
    blank = [epoch(100.0 - number, 1.0, 6) for number in range(150)]
    said = said_after_each(module, blank)
    assert [number for number, each in enumerate(said, 1) if each] == [100]
    assert "After 1000 steps the model still writes nothing but blanks" in said[99][0]
    spoke = [*blank[:50], epoch(50.0, 0.9, 5), *blank[51:]]
    assert not any(said_after_each(module, spoke))
    # A short training says so at its half.
    said = said_after_each(module_for(settings, max_epochs=20), blank[:20])
    assert [number for number, each in enumerate(said, 1) if each] == [10]


def test_a_training_that_learns_nothing_says_so_once_through_an_interruption(settings):
    trainer = {"learning_rate": 1e-12, "schedule": "constant"}
    printed = "".join(train(settings(trainer=trainer | {"max_epochs": end}))[1] for end in (3, 9))
    assert printed.count("has got better for 5 epochs") == 1


# --- the report --------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """What a page consists of."""

    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_report_stands_alone_and_says_what_the_run_was(settings):
    asked = settings(trainer={"max_epochs": 3, "watch_gradients": True}, data={"batch_seconds": 7.0})
    result, _ = train(asked)
    page = Tags()
    page.feed((Path(asked.run_dir) / "report.html").read_text())
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & set(attrs)], "it must open offline"
    assert "script" not in {tag for tag, _ in page.tags}
    assert f"Best dev WER {100 * result.dev_wer:.2f} % [" in page.text
    assert "batch_seconds: 7.0" in page.text
    assert hashlib.sha256(Path(asked.data.train).read_bytes()).hexdigest() in page.text
    lines = [attrs["points"].split() for tag, attrs in page.tags if tag == "polyline"]
    assert len(lines) == 1 + 2 + 1 + 2 + 1 + 3 + 1
    assert all(len(points) == 3 for points in lines)


def test_metrics_json_holds_what_the_csv_holds_and_where_it_comes_from(settings):
    asked = settings(trainer={"max_epochs": 2})
    result, _ = train(asked)
    run = Path(asked.run_dir)
    measured = json.loads((run / "metrics.json").read_text())
    with open(run / "metrics.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [{key: str(value) for key, value in row.items()} for row in measured["epochs"]] == table
    assert measured["best"]["dev_wer"] == result.dev_wer
    low, high = measured["best"]["dev_wer_interval"]
    assert low <= result.dev_wer <= high
    assert (low, high) != (0.0, 0.0)
    interval = re.search(r"95 % interval ([\d.]+) to ([\d.]+)", (run / "best" / "README.md").read_text())
    assert (f"{100 * low:.2f}", f"{100 * high:.2f}") == interval.groups()
    assert measured["data"]["dev"]["utterances"] == 6
    assert measured["versions"]["torch"] == torch.__version__
    assert measured["settings"]["trainer"]["max_epochs"] == 2


def test_numbers_that_are_none_leave_json_valid_and_the_curve_drawn(settings, tmp_path):
    lie = dataclasses.replace(read_manifest(settings().data.train)[0], text="ab cd ab cd", duration=9.0)
    write_manifest(tmp_path / "lie.jsonl", [lie])
    os.truncate(lie.audio_filepath, 3000)
    asked = settings(data={"train": str(tmp_path / "lie.jsonl")}, trainer={"max_epochs": 1})
    train(asked)
    measured = json.loads((Path(asked.run_dir) / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert measured["epochs"][0]["loss"] is None
    drawn = curve("x", {"a": [float("nan"), 2.0, 4.0], "b": [1.0, 1.0, float("inf")]})
    assert drawn.count("<circle") == 4
    assert 'points="150.0,78.8 250.0,7.5"' in drawn
