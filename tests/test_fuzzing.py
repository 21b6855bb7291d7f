"""Readers of strangers' files, given damage: they read it or raise an AsrError of one sentence, nothing else.

Arbitrary but always the same damage, a bounded amount; ``HYPOTHESIS_EXAMPLES`` asks for more.
"""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toys import random_model, write_unigram

from asr import checkpoint, feature_files, onnx_file, stored_decoder
from asr.errors import AsrError
from asr.evaluation.transcripts import pair_up, read_speakers
from asr.inputs import recording
from asr.lm.ngram import NGram
from asr.manifest import read_manifest
from asr.shards import read_shards
from asr.stored_decoder import StoredDecoder

bounded = settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", 60)),
    deadline=None,
    derandomize=True,
    database=None,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, -1, 2**63, "../x", "\0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A few bytes changed, mostly near the beginning, some taken out or put in, perhaps cut."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(len(data), draw(st.sampled_from([16, 256, len(data)])))))
        data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=6))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


def survives(read: Callable[[], object]) -> bool:
    """Whether it is read; if not, in one sentence."""
    sentence = ""
    try:
        read()
    except AsrError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) <= 1
    return not sentence


def fuzz(path: Path, whole: bytes, read: Callable[[], object]) -> None:
    """Damage of a file that is read whole, and of which some is refused."""
    path.write_bytes(whole)
    assert survives(read)
    refused = []

    @bounded
    @given(damaged(whole))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        refused.append(not survives(read))

    check()
    assert any(refused)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fuzzed") / "model"
    checkpoint.save(folder, random_model(), "card")
    stored_decoder.save(folder, StoredDecoder(), write_unigram(folder.parent / "lm.arpa"))
    return folder


@pytest.mark.parametrize("name", ["weights.safetensors", "config.yaml", "vocabulary.txt"])
def test_a_model(model_dir, name):
    whole = (model_dir / name).read_bytes()
    try:
        fuzz(model_dir / name, whole, lambda: checkpoint.load(model_dir))
    finally:
        (model_dir / name).write_bytes(whole)


def test_a_stored_decoder(model_dir):
    path = model_dir / "decoder.yaml"
    fuzz(path, path.read_bytes(), lambda: stored_decoder.load(model_dir))


def test_a_packed_language_model(model_dir):
    path = model_dir.parent / "lm.bin"
    whole = (model_dir / "lm.bin").read_bytes()
    fuzz(path, whole, lambda: NGram.load(path).score(["ab", "cd", "xyzzy"]))


@bounded
@given(st.dictionaries(st.sampled_from(["features", "text", "model", "format_version"]), VALUES))
@example({"format_version": "1\n2"})
def test_any_settings(tmp_path_factory, values):
    folder = tmp_path_factory.getbasetemp() / "settings"
    folder.mkdir(exist_ok=True)
    (folder / "weights.safetensors").touch()
    # JSON is YAML, and writes what YAML's own writer refuses.
    (folder / "config.yaml").write_text(json.dumps({"format_version": 1} | values))
    survives(lambda: checkpoint.load_settings(folder))


@bounded
@given(st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets"]), VALUES), st.binary(max_size=64))
def test_any_header_of_weights(model_dir, entry, data):
    path = model_dir / "weights.safetensors"
    whole = path.read_bytes()
    header = json.dumps({"network.head.1.bias": {"dtype": "F32", "shape": [16]} | entry}).encode()
    try:
        path.write_bytes(struct.pack("<Q", len(header)) + header + data)
        assert not survives(lambda: checkpoint.load(model_dir))
    finally:
        path.write_bytes(whole)


def test_an_exported_model(tmp_path):
    path = tmp_path / "model.onnx"
    onnx_file.write(
        path, b"\x08\x09", {"config.yaml": (checkpoint.BUNDLED / "digits-en/config.yaml").read_text()}
    )
    whole = path.read_bytes()
    fuzz(path, whole, lambda: checkpoint.load_settings(path))
    fuzz(path, whole, lambda: onnx_file.read_graph(path))


@bounded
@given(
    st.dictionaries(
        st.sampled_from(
            ["audio_filepath", "features_filepath", "duration", "text", "offset", "speaker", "member"]
        ),
        VALUES,
    )
)
def test_any_line_of_a_manifest(tmp_path_factory, entry):
    path = tmp_path_factory.getbasetemp() / "manifest.jsonl"
    line = {"audio_filepath": "manifest.jsonl", "duration": 1, "text": "a"} | entry
    path.write_text(json.dumps(line) + "\n")
    if survives(lambda: read_manifest(path)):
        (utterance,) = read_manifest(path)
        if utterance.audio_filepath:
            survives(lambda: recording(utterance))


def test_a_manifest(tmp_path):
    line = {"audio_filepath": "a.tar", "duration": 1.5, "text": "grüße", "member": ["a.wav", 512, 100]}
    path = tmp_path / "m.jsonl"
    fuzz(path, json.dumps(line, ensure_ascii=False).encode(), lambda: read_manifest(path))


def test_shards(tmp_path):
    from test_shards import write_tar

    path = tmp_path / "a.tar"
    members = [("a.wav", b"sound"), ("a.json", b'{"text": "one", "duration": 1.5, "speaker": "s"}')]
    fuzz(path, write_tar(path, members).read_bytes(), lambda: read_shards(path))


@pytest.mark.parametrize(
    "text",
    ["one two (a-1)\n(a-2)\nthree (b-1)\n", "a-1\tone two\na-2\t\n", "a1 one two\na2\n", "one\n\ntwo\n"],
)
def test_texts_to_score(tmp_path, text):
    path, other = tmp_path / "hypotheses", tmp_path / "references"
    other.write_text(text)
    fuzz(path, text.encode(), lambda: pair_up(other, path))


def test_packed_texts_to_score(tmp_path):
    import gzip

    path = tmp_path / "hypotheses.gz"
    fuzz(path, gzip.compress(b"one two\nthree\n" * 50, mtime=0), lambda: pair_up(path, path))


def test_speakers(tmp_path):
    path = tmp_path / "utt2spk"
    fuzz(path, b"utt1 ann\nutt2 bob\nutt3 ann\n", lambda: read_speakers(path))


@pytest.mark.parametrize("suffix", [".npy", ".mfc", ".htk"])
def test_features(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    values = np.ones((20, 13), ">f4")
    headers = {".mfc": struct.pack(">i", values.size), ".htk": struct.pack(">iihH", 20, 100_000, 52, 6)}
    if suffix == ".npy":
        np.save(path, values)
    else:
        path.write_bytes(headers[suffix] + values.tobytes())
    fuzz(path, path.read_bytes(), lambda: feature_files.read(path, 13))
