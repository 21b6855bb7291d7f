"""A classifier: one label a recording, whatever is beside it in a batch; trained, stored, asked and scored."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from test_cli import run
from toys import FEATURES, SMALL, random_model, utter, write_corpus
from trainings import settings_for, train

import asr
from asr.classifier import load_classifier
from asr.errors import AudioError, CheckpointError, ConfigError
from asr.export import export
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.model_settings import ModelSettings
from asr.models import RecurrentClassifier
from asr.scoring.confusion import confusion
from asr.text import TextSettings

WORDS = ("ab", "cd", "bad cab")
LABELS = TextSettings(units="labels")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Nine recordings of three labels, learned by heart, and the folder of the model."""
    folder = tmp_path_factory.mktemp("classifier")
    write_corpus(folder / "corpus", [*WORDS] * 3)
    manifest = str(folder / "corpus" / "manifest.jsonl")
    settings = settings_for(
        folder, folder / "run", text=LABELS, model={"kind": "classifier"}, data={"train": manifest, "dev": manifest},
        trainer={"max_epochs": 12, "watch_gradients": True, "label_smoothing": 0.05},
    )  # fmt: skip
    result, printed = train(settings)
    assert "4 symbols" in printed
    return folder, result


def test_it_learns_its_recordings_by_heart(trained):
    folder, result = trained
    assert result.dev_wer == 0
    classifier = load_classifier(folder / "run", device="cpu")
    utterances = read_manifest(folder / "corpus" / "manifest.jsonl")
    found = list(classifier.classify_all(utterances, batch_size=4))
    assert [one.label for one in found] == [utterance.text for utterance in utterances]
    for one in found:
        assert one.labels[0] == (one.label, one.probability)
        assert sum(probability for _, probability in one.labels) == pytest.approx(1, abs=1e-6)
        assert {label for label, _ in one.labels} == set(WORDS)


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_padding_and_batch_mates_change_nothing(pooling, bidirectional):
    torch.manual_seed(1)
    settings = dataclasses.replace(SMALL, kind="classifier", pooling=pooling, bidirectional=bidirectional)
    network = RecurrentClassifier(settings, 7, 5).eval()
    features = torch.randn(3, 50, 7)
    lengths = torch.tensor([50, 21, 8])
    together, ends = network(features, lengths)
    assert together.shape == (3, 1, 5)
    assert ends.tolist() == [1, 1, 1]
    assert torch.isneginf(together[:, :, 0]).all()
    for row, length in enumerate(lengths.tolist()):
        alone, _ = network(features[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_every_parameter_gets_a_gradient_of_the_cross_entropy(pooling):
    torch.manual_seed(1)
    network = RecurrentClassifier(dataclasses.replace(SMALL, kind="classifier", pooling=pooling), 7, 5)
    targets, ones = torch.tensor([[2], [4]]), torch.tensor([1, 1])
    log_probs, _ = outputs = network.outputs(torch.randn(2, 30, 7), torch.tensor([30, 20]), targets)
    losses, minimised = network.losses(outputs, targets, ones, 0.1)
    expected = torch.stack([-log_probs[0, 0, 2], -log_probs[1, 0, 4]])
    torch.testing.assert_close(losses, expected)
    loss = minimised.mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_final_states_are_the_end_of_each_direction():
    network = RecurrentClassifier(ModelSettings(kind="classifier", pooling="last", hidden_size=2), 7, 3)
    hidden = torch.arange(24.0).reshape(1, 6, 4)
    assert network.pool(hidden, torch.tensor([4])).tolist() == [[12, 13, 2, 3]]
    with pytest.raises(ConfigError, match=r"set model\.projection=0, or model\.pooling=mean"):
        ModelSettings(pooling="last", projection=8)


def test_one_bad_recording_costs_itself(trained):
    folder, _ = trained
    classifier = load_classifier(folder / "run", device="cpu")
    good = folder / "corpus" / "001.wav"
    bad, first, second = classifier.classify_all(["none.wav", good, str(good)])
    assert isinstance(bad, AudioError)
    assert "none.wav" in str(bad)
    assert first == second
    # Matrix products of other sizes round otherwise on some processors.
    assert dict(classifier.classify(good).labels) == pytest.approx(dict(first.labels), abs=1e-6)
    samples = utter("cd", 1)
    assert classifier.classify(samples, sample_rate=8000).label == "cd"


def test_a_recording_that_is_too_long_for_one_label_is_refused(trained):
    folder, _ = trained
    classifier = load_classifier(folder / "run", device="cpu")
    with pytest.raises(
        AudioError, match="the recording: is longer than 600 s, and a label is of all of it; cut it"
    ):
        classifier.classify(np.zeros(601 * 8000, np.float32), sample_rate=8000)


def test_asr_classify_prints_labels_and_probabilities(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    inputs = [folder / "corpus" / "000.wav", tmp_path / "bad.wav", folder / "corpus" / "002.wav"]
    done = run("classify", *inputs, "-m", folder / "run")
    assert done.returncode == 1
    first, none, third = done.stdout.split("\n")[:-1]
    assert (first.split("\t")[0], none, third.split("\t")[0]) == ("ab", "", "bad cab")
    assert 0.5 < float(first.split("\t")[1]) <= 1
    assert f"asr: {tmp_path / 'bad.wav'}: " in done.stderr
    done = run("classify", *inputs, "-m", folder / "run", "-f", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one.get("label") for one in found] == ["ab", None, "bad cab"]
    assert set(found[0]["labels"]) == set(WORDS)
    assert "error" in found[1]


def test_asr_classify_scores_a_manifest(trained, tmp_path):
    folder, _ = trained
    utterances = read_manifest(folder / "corpus" / "manifest.jsonl")
    wrong = dataclasses.replace(utterances[0], text="Cd")
    manifest = tmp_path / "test.jsonl"
    write_manifest(manifest, [*utterances, wrong, Utterance("none.wav", 1.0, "ab")])
    done = run("classify", "--manifest", manifest, "-m", folder / "run")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "accuracy 81.82 % [ 9 / 11 ]"
    assert lines[1].startswith("95 % interval ")
    assert [line.split() for line in lines[3:]] == [
        ["ab", "bad", "cab", "cd"],
        ["ab", "3", ".", "."],
        ["bad", "cab", ".", "3", "."],
        ["cd", "1", ".", "3"],
    ]
    done = run("classify", "--manifest", manifest, "-m", folder / "run", "-f", "json")
    found = json.loads(done.stdout)
    assert (found["right"], found["recordings"], found["failures"]) == (9, 11, 1)
    assert found["confusion"] == [[3, 0, 0], [0, 3, 0], [1, 0, 3]]


def test_what_has_labels_is_not_asked_for_texts_nor_the_other_way_round(trained, tmp_path):
    folder, _ = trained
    with pytest.raises(ConfigError, match="tells labels apart and writes no text; `asr classify`"):
        asr.load(folder / "run")
    with pytest.raises(ConfigError, match="writes texts and has no labels; `asr transcribe`"):
        load_classifier("digits-en")
    with pytest.raises(CheckpointError, match="only CTC models are exported"):
        export(folder / "run", tmp_path / "model.onnx")
    done = run("classify", "-m", folder / "run")
    assert done.returncode == 2


def test_a_confusion_counts_what_was_taken_for_what():
    found = confusion(["a", "a", "b", "c"], ["a", "b", "b", ""])
    assert (found.accuracy, found.labels) == (0.5, ["a", "b", "c"])
    assert found.matrix == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert 0 <= found.interval.low <= 0.5 <= found.interval.high <= 1


def test_nothing_heard_is_never_right_not_even_of_a_text_without_letters(trained, tmp_path):
    found = confusion(["a", "", ""], ["a", "", "a"])
    assert (found.num_right, found.labels, found.interval.high) == (1, ["a"], 1.0)
    folder, _ = trained
    write_manifest(tmp_path / "test.jsonl", [Utterance("none.wav", 1.0, "?")])
    done = run("classify", "--manifest", tmp_path / "test.jsonl", "-m", folder / "run")
    assert done.returncode == 1
    assert done.stdout.startswith("accuracy 0.00 % [ 0 / 1 ]\n")
    assert "Traceback" not in done.stderr


def test_a_model_of_other_units_lends_its_layers(trained, tmp_path):
    folder, _ = trained
    from asr import checkpoint

    checkpoint.save(tmp_path / "ctc", random_model(FEATURES, SMALL), "")
    manifest = str(folder / "corpus" / "manifest.jsonl")
    settings = settings_for(
        tmp_path, tmp_path / "run", text=LABELS, model={"kind": "classifier"},
        data={"train": manifest, "dev": manifest}, trainer={"max_epochs": 1, "init_from": str(tmp_path / "ctc")},
    )  # fmt: skip
    _, printed = train(settings)
    assert "the head is new, since that model writes characters" in printed
