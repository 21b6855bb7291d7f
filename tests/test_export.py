"""Exported models give the answers of torch: every front end and network of ``conf/``, padded or alone."""

import dataclasses
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import tones
from toys import FEATURES, RATE, SMALL, VOCABULARY, random_model, utter, write_unigram

import asr
from asr import audio, checkpoint, config, onnx_file, scoring, stored_decoder
from asr.decoding import BeamSettings, decode_greedy
from asr.errors import CheckpointError
from asr.export import _difference, _graph, export
from asr.features import FeatureSettings
from asr.hearing import Hearing
from asr.kinds import kind_of
from asr.models import ModelSettings
from asr.onnx_file import read_graph
from asr.onnx_model import start
from asr.stored_decoder import StoredDecoder
from asr.windows import WindowSettings

SAMPLES = sorted((Path(__file__).parents[1] / "recipes/demo/samples").glob("[0-9]*.*"))
TOLERANCE = 1e-4


def exported(folder: Path, settings: FeatureSettings, model: ModelSettings, **options) -> tuple:
    """The acoustic model on torch, and the same as a file on onnxruntime."""
    ours = random_model(settings, model, loudness=4.0)
    if settings.needs_statistics:
        ours.acoustic.front_end.mean += 0.5
        ours.acoustic.front_end.std += 1.5
    checkpoint.save(folder / "model", ours, "")
    export(folder / "model", folder / "model.onnx", **options)
    return ours.acoustic, asr.load(folder / "model.onnx").acoustic


def assert_same(folder: Path, features: FeatureSettings, model: ModelSettings) -> None:
    """Alone, and in a batch whose padding is anything but silent."""
    on_torch, on_onnxruntime = exported(folder, features, model)
    rate = features.sample_rate
    clips = [tones(0.9, rate), tones(0.31, rate), tones(0.01, rate)]
    expected = on_torch.log_probs(clips)
    for ours, theirs in zip(on_onnxruntime.log_probs(clips), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)
    batch = np.full((len(clips), max(map(len, clips)) + 999), 7.0, np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    session = start(read_graph(folder / "model.onnx"), folder)
    given = {"waveforms": batch, "lengths": np.array([len(clip) for clip in clips])}
    heard, ends = session.run(["log_probs", "log_prob_lengths"], given)
    assert ends.tolist() == [len(scores) for scores in expected]
    for scores, end, theirs in zip(heard, ends, expected, strict=True):
        np.testing.assert_allclose(scores[:end], theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", config.choices("features"))
def test_every_front_end_of_conf(tmp_path, name):
    assert_same(tmp_path, config.compose([f"features={name}"]).features, SMALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"cmvn": "stored", "delta_order": 1, "delta_window": 3},
        {"cmvn": "utterance", "cmvn_prior": 50.0, "kind": "log_mel"},
        {"edges": "pad", "window_length": 201, "hop_length": 77, "fft_length": 218},
        {"edges": "center", "preemphasis_over": "signal", "window": "hann", "log": "db", "top_db": 30.0},
    ],
)
def test_front_ends_that_conf_has_not(tmp_path, changes):
    assert_same(tmp_path, dataclasses.replace(FEATURES, **changes), SMALL)


CONF = {name: config.compose([f"model={name}"]) for name in config.choices("model")}


@pytest.mark.parametrize(
    "name", [name for name, asked in CONF.items() if kind_of(asked.model).frame_by_frame]
)
def test_every_network_of_conf_that_frames_say_all_of(tmp_path, name):
    asked = CONF[name]
    features, model = dataclasses.replace(FEATURES, cmvn=asked.features.cmvn), asked.model
    assert_same(tmp_path, features, dataclasses.replace(model, hidden_size=16, num_channels=12))


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "gru", "bidirectional": False, "layer_norm": False, "subsampling": 1},
        {"cell": "rnn_relu", "bidirectional": False, "subsampling": 8, "num_layers": 2},
        {"num_layers": 3, "projection": 24, "residual": True, "subsampling": 3, "kernel_size": 1},
        {"cell": "gru", "num_layers": 2, "hidden_size": 12, "residual": True},
    ],
)
def test_networks_that_conf_has_not(tmp_path, changes):
    assert_same(tmp_path, FEATURES, dataclasses.replace(SMALL, **changes))


def test_precomputed_features_are_heard_where_a_model_is_exported_for_them(tmp_path):
    features = dataclasses.replace(FEATURES, delta_order=2)
    on_torch, on_onnxruntime = exported(tmp_path, features, SMALL, features=True)
    static = np.random.default_rng(1).normal(size=(40, 13)).astype(np.float32)
    (expected,), (heard,) = on_torch.log_probs([static]), on_onnxruntime.log_probs([static])
    np.testing.assert_allclose(heard, expected, rtol=0, atol=TOLERANCE)
    with pytest.raises(CheckpointError, match="export it without --features"):
        on_onnxruntime.log_probs([utter("ab")])


def test_the_bundled_model_hears_its_recordings_as_before(tmp_path):
    export("digits-en", tmp_path / "digits.onnx")
    before, after = asr.load("digits-en"), asr.load(tmp_path / "digits.onnx")
    assert len(SAMPLES) == 12
    for path in SAMPLES:
        words, expected = after.transcribe(path).words, before.transcribe(path).words
        assert [(w.text, w.start, w.end) for w in words] == [(w.text, w.start, w.end) for w in expected]
        assert [w.confidence for w in words] == pytest.approx([w.confidence for w in expected], abs=1e-4)
        waveform = [audio.load(path, before.acoustic.sample_rate)]
        (ours,), (theirs,) = after.acoustic.log_probs(waveform), before.acoustic.log_probs(waveform)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


IN_WINDOWS = WindowSettings(window=9.0, overlap=4.0, search=1.0, piece=10.0)


@pytest.mark.parametrize("prior", [0.0, 500.0])
def test_windows_of_a_long_recording_are_normalised_by_all_of_it(tmp_path, prior):
    """Voices of different loudness, so that windows by themselves would be normalised differently."""
    settings = config.compose(["features=mfcc_8k"]).features
    settings = dataclasses.replace(settings, cmvn="utterance", cmvn_prior=prior)
    on_torch, on_onnxruntime = exported(tmp_path, settings, SMALL)
    voices = [audio.load(path, 8000) * gain for path, gain in zip(SAMPLES[:8], [1, 0.1] * 4, strict=True)]
    assert sum(map(len, voices)) > 2 * IN_WINDOWS.window * 8000
    heard = [
        Hearing(acoustic, VOCABULARY.symbols, IN_WINDOWS).hear_whole(lambda: iter(voices))
        for acoustic in (on_onnxruntime, on_torch)
    ]
    ours, theirs = (one.log_probs for one in heard)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)
    alone = on_torch.log_probs([voices[0]])[0]
    assert np.abs(theirs[: len(alone) // 2] - alone[: len(alone) // 2]).max() > 0.1


def test_a_bundled_model_writes_the_same_text_of_a_long_recording(tmp_path):
    export("english-small", tmp_path / "english.onnx")
    sound = np.concatenate([audio.load(path, 16000) for path in SAMPLES])
    texts = []
    for place in (tmp_path / "english.onnx", "english-small"):
        recognizer = asr.load(place)
        recognizer.decoder = decode_greedy
        recognizer.hearing.window_settings = IN_WINDOWS
        texts.append(recognizer.transcribe(sound, sample_rate=16000).text)
    assert texts[0] == texts[1] != ""


def test_an_older_file_hears_short_recordings_and_says_why_it_hears_no_long_ones(tmp_path):
    on_torch, _ = exported(tmp_path, FEATURES, SMALL)
    texts = {name: (tmp_path / "model" / name).read_text() for name in ("config.yaml", "vocabulary.txt")}
    graph = onnx.load_from_string(read_graph(tmp_path / "model.onnx"))
    del graph.graph.output[2:]
    onnx_file.write(tmp_path / "older.onnx", graph.SerializeToString(), texts)
    older = asr.load(tmp_path / "older.onnx").hearing
    clip = utter("ab")
    np.testing.assert_allclose(
        older.hear([clip])[0].log_probs, on_torch.log_probs([clip])[0], rtol=0, atol=TOLERANCE
    )
    with pytest.raises(CheckpointError, match="as a whole; export it again"):
        older.hear_whole(lambda: iter([clip]))


def test_int8_changes_no_more_than_a_word_in_fifty(tmp_path):
    export("digits-en", tmp_path / "digits.onnx", int8=True)
    before, after = asr.load("digits-en"), asr.load(tmp_path / "digits.onnx")
    texts = [(before.transcribe(path).text, after.transcribe(path).text) for path in SAMPLES]
    assert scoring.total([scoring.count_words(*pair) for pair in texts]).rate <= 0.02


def test_real_speech_whatever_bands_are_empty(tmp_path, corpora):
    """Opus leaves the highest bands next to nothing, 8 kHz recordings nothing at all."""
    export("english-small", tmp_path / "english.onnx")
    on_torch, on_onnxruntime = (
        asr.load("english-small").acoustic,
        asr.load(tmp_path / "english.onnx").acoustic,
    )
    found = [
        audio.find(corpora / name)[::step] for name, step in (("an4", 8), ("librispeech", 150), ("fsdd", 600))
    ]
    assert min(map(len, found)) > 3
    paths = list(chain.from_iterable(found))
    for path in paths:
        waveform = [audio.load(path, 16000)]
        (ours,), (theirs,) = on_onnxruntime.log_probs(waveform), on_torch.log_probs(waveform)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE, err_msg=str(path))


def test_what_a_model_remembers_of_its_decoder_comes_along(tmp_path):
    checkpoint.save(tmp_path / "model", random_model(), "its card")
    language_model = write_unigram(tmp_path / "toy.arpa")
    stored = StoredDecoder(settings=BeamSettings(beam_width=7, alpha=0.25))
    stored_decoder.save(tmp_path / "model", stored, language_model)
    export(tmp_path / "model", tmp_path / "toy.onnx")
    shutil.rmtree(tmp_path / "model")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("toy.onnx", "toy.lm.bin"):
        (tmp_path / name).rename(moved / name)
    recognizer = asr.load(moved / "toy.onnx")
    assert recognizer.decoder.settings == stored.settings
    assert recognizer.decoder.language_model.order == 1
    assert recognizer.transcribe(utter("ab"), sample_rate=RATE, nbest=2).alternatives
    (moved / "toy.lm.bin").unlink()
    with pytest.raises(CheckpointError, match=r"toy\.lm\.bin"):
        asr.load(moved / "toy.onnx")


def test_a_part_that_export_does_not_know_is_noticed(tmp_path):
    model = random_model()
    model.acoustic.network.head.append(torch.nn.Hardtanh(-1.0, 1.0))
    session = start(_graph(model, int8=False, features=False), tmp_path)
    assert _difference(model, session, features=False) > TOLERANCE


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_int8_is_a_quarter_of_the_size_and_close(tmp_path, cell):
    shape = ModelSettings(cell=cell, num_layers=2, hidden_size=160, num_channels=96, subsampling=2)
    on_torch, on_onnxruntime = exported(tmp_path, FEATURES, shape, int8=True)
    stored = (tmp_path / "model" / checkpoint.WEIGHTS).stat().st_size
    front_end = 200_000
    assert (tmp_path / "model.onnx").stat().st_size < stored / 4 + front_end
    clip = utter("ab cd")
    (expected,), (heard,) = on_torch.log_probs([clip]), on_onnxruntime.log_probs([clip])
    assert 1e-4 < np.abs(np.exp(heard) - np.exp(expected)).max() < 0.15
