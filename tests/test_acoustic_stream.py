"""A stream in any chunks gives the log_probs of the whole waveform, each row as soon as its sound is there."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import FEATURES, SMALL, random_model, utter

from asr.acoustic import TorchAcousticModel
from asr.acoustic_stream import can_stream, latency

STREAMED = dataclasses.replace(FEATURES, cmvn="stored", delta_order=2)
ONE_WAY = dataclasses.replace(SMALL, bidirectional=False, lookahead=3)
FRONT_ENDS = {
    "snip": {},
    "pad, emphasised as a whole": {"edges": "pad", "preemphasis_over": "signal"},
    "center": {"edges": "center", "preemphasis_over": "signal", "delta_order": 1},
    "log mel": {"kind": "log_mel", "delta_order": 0, "cmvn": "none", "hop_length": 70},
}
NETWORKS = {
    "stride 2": {},
    "stride 4, kernel 5": {"subsampling": 4, "kernel_size": 5, "lookahead": 1, "num_layers": 2},
    "stride 3, projected, residual": {
        **{"subsampling": 3, "projection": 24, "residual": True},
        **{"num_layers": 2, "cell": "gru", "layer_norm": False},
    },
    "stride 8, no look-ahead": {"subsampling": 8, "lookahead": 0, "cell": "rnn_tanh"},
    "stride 1, one wide kernel": {"subsampling": 1, "kernel_size": 7, "lookahead": 12},
}


def model(features: dict | None = None, network: dict | None = None) -> TorchAcousticModel:
    """Random weights; the statistics of its features are no zeros and ones."""
    own = dataclasses.replace(STREAMED, **(features or {}))
    acoustic = random_model(own, dataclasses.replace(ONE_WAY, **(network or {})), loudness=3.0).acoustic
    if own.needs_statistics:
        rng = np.random.default_rng(0)
        acoustic.front_end.mean.copy_(acoustic.front_end.mean.new_tensor(rng.normal(0, 3, own.num_features)))
        acoustic.front_end.std.fill_(8.0)
    return acoustic


MODELS = {
    **{name: model(features=changes) for name, changes in FRONT_ENDS.items()},
    **{name: model(network=changes) for name, changes in NETWORKS.items()},
}


def streamed(acoustic: TorchAcousticModel, waveform: np.ndarray, ends: list[int]) -> np.ndarray:
    stream = acoustic.stream()
    bounds = [0, *ends, len(waveform)]
    rows = [stream.accept(waveform[start:end]) for start, end in itertools.pairwise(bounds)]
    return np.concatenate([*rows, stream.finish()])


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 6000), cuts=st.lists(st.integers(0, 6000), max_size=12), by_one=st.integers(0, 400)
)
def test_any_chunks_give_the_whole(name, length, cuts, by_one):
    waveform = utter("ab dc", length)[:length]
    ends = sorted({*range(min(by_one, length)), *(cut for cut in cuts if cut <= length)})
    (whole,) = MODELS[name].log_probs([waveform])
    rows = streamed(MODELS[name], waveform, ends)
    assert rows.shape == whole.shape
    np.testing.assert_allclose(rows, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_row_comes_as_late_as_stated_and_no_later(name):
    acoustic = MODELS[name]
    features = acoustic.front_end.settings
    stated = latency(features, acoustic.settings).seconds
    waveform, stream = utter("ab dc ab"), acoustic.stream()
    assert stream.latency == stated
    came = [len(stream.accept(waveform[place : place + 1])) for place in range(len(waveform))]
    first, second = np.flatnonzero(came)[:2]
    assert first + 1 == round(stated * features.sample_rate)
    assert second - first == round(acoustic.frame_seconds * features.sample_rate)


def test_nothing_said_is_no_row():
    stream = MODELS["snip"].stream()
    assert stream.accept(np.zeros(0, np.float32)).shape == stream.finish().shape == (0, 6)


@pytest.mark.parametrize(
    ("features", "network"),
    [({}, {"bidirectional": True}), ({"cmvn": "utterance"}, {}), ({"log": "db"}, {})],
    ids=str,
)
def test_what_needs_the_whole_utterance_has_no_stream(features, network):
    assert can_stream(STREAMED, ONE_WAY)
    assert model(features, {"lookahead": 0, **network}).stream() is None
