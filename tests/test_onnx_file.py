"""Exported files that are damaged, foreign or hostile are refused in one sentence."""

import onnx
import pytest
from onnx import TensorProto, helper

from asr import checkpoint, onnx_file
from asr.errors import AsrError, CheckpointError, ConfigError
from asr.loading import load


@pytest.fixture
def exported(digits_onnx, tmp_path):
    """The bundled model as a file, and a copy of it that may be spoilt."""
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(digits_onnx.read_bytes())
    return copy


def test_a_text_is_what_it_was_before(tmp_path):
    texts = {"config.yaml": "a: 1\n", "vocabulary.txt": "<blank>\nɛ́\n" * 100, "empty": ""}
    path = tmp_path / "model.onnx"
    onnx_file.write(path, onnx.ModelProto(ir_version=9).SerializeToString(), texts)
    assert {name: onnx_file.read_text(path / name) for name in texts} == texts
    assert onnx_file.has_text(path / "empty")
    assert not onnx_file.has_text(path / "decoder.yaml")
    with pytest.raises(FileNotFoundError, match=r"model\.onnx holds no decoder\.yaml"):
        onnx_file.read_text(path / "decoder.yaml")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_onnx_reads_the_same_file(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert texts["vocabulary.txt"].splitlines()[:2] == ["<blank>", "<space>"]
    assert {"config.yaml", "README.md"} < texts.keys()
    assert model.SerializeToString() == exported.read_bytes()


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99, 0.9999])
def test_a_file_that_is_cut_short(exported, share):
    content = exported.read_bytes()
    exported.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"copy\.onnx: .*export it again"):
        load(exported)


@pytest.mark.parametrize("place", [0, 3, 100, 5000, 400_000, -5000, -40])
def test_one_wrong_byte(exported, place):
    content = bytearray(exported.read_bytes())
    content[place] ^= 0x55
    exported.write_bytes(content)
    with pytest.raises(AsrError, match=r"copy\.onnx") as caught:
        load(exported)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"RIFF" * 100, b"\0" * 1000, b"\xff" * 1000, b"PK\3\4" + bytes(range(256))]
)
def test_a_file_of_another_kind(tmp_path, content):
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"other\.onnx: no ONNX file"):
        load(path)


def test_an_onnx_file_of_somebody_else(tmp_path):
    path = tmp_path / "foreign.onnx"
    onnx.save(_model(), path)
    with pytest.raises(CheckpointError, match="not written by `asr export`"):
        load(path)


def test_a_graph_that_wants_a_file_outside_is_refused(exported, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(16))
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=secret.name)
    model = _model()
    model.graph.initializer.append(tensor)
    texts = {
        name: onnx_file.read_text(exported / name) for name in (checkpoint.CONFIG, checkpoint.VOCABULARY)
    }
    onnx_file.write(exported, model.SerializeToString(), texts)
    with pytest.raises(CheckpointError, match="data from outside its file"):
        load(exported)


def test_a_graph_with_other_ends_is_refused(exported):
    texts = {
        name: onnx_file.read_text(exported / name) for name in (checkpoint.CONFIG, checkpoint.VOCABULARY)
    }
    onnx_file.write(exported, _model().SerializeToString(), texts)
    with pytest.raises(CheckpointError, match="does not fit its symbols"):
        load(exported)


def test_a_newer_format_is_named(exported):
    content = exported.read_bytes()
    name = b"asr.format_version\x12\x01"
    exported.write_bytes(content.replace(name + b"1", name + b"9"))
    with pytest.raises(CheckpointError, match="format 9 is unknown"):
        load(exported)


def test_what_needs_weights_says_so(exported):
    with pytest.raises(CheckpointError, match="give the directory"):
        checkpoint.load(exported)


def test_a_device_that_it_cannot_use(exported):
    with pytest.raises(ConfigError, match="cuda"):
        load(exported, device="cuda")


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be written"):
        onnx_file.write(tmp_path / "nowhere" / "model.onnx", b"", {})
    assert list(tmp_path.iterdir()) == []


def _model() -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
