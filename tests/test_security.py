"""What a stranger's files may not do: run code, reach other places, take the memory or the day."""

import contextlib
import io
import json
import os
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from test_shards import write_tar
from toys import random_model, write_unigram

from asr import checkpoint, onnx_file, stored_decoder
from asr.download import fetch
from asr.errors import AsrError, CheckpointError, DownloadError, ManifestError
from asr.lm.load import load_language_model
from asr.lm.ngram import NGram
from asr.loading import load
from asr.manifest import read_manifest
from asr.recurrent_lm.load import load_recurrent
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.training import Training
from asr.shards import read_shards
from asr.stored_decoder import StoredDecoder
from asr.text import TextSettings
from asr.units.dictionary import read_dictionary


@pytest.fixture
def model_dir(tmp_path) -> Path:
    folder = tmp_path / "model"
    checkpoint.save(folder, random_model(), "card")
    stored_decoder.save(folder, StoredDecoder(), write_unigram(tmp_path / "lm.arpa"))
    return folder


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "lm.bin", "config.yaml", "decoder.yaml", "vocabulary.txt"]
)
@pytest.mark.parametrize("kind", ["pickle", "yaml"])
def test_no_file_of_a_model_runs_code(model_dir, tmp_path, name, kind):
    sprung = tmp_path / "sprung"
    if kind == "pickle":
        torch.save(Trap(sprung), model_dir / name)
    else:
        (model_dir / name).write_text(f"decoder: !!python/object/apply:os.mkdir ['{sprung}']\n")
    with pytest.raises(CheckpointError, match=str(model_dir)):
        load(model_dir)
    assert not sprung.exists()


@pytest.mark.parametrize("kind", ["pickle", "yaml"])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("lm.arpa", load_language_model),
        ("lm.bin", load_language_model),
        ("rnnlm/settings.yaml", lambda path: load_recurrent(path.parent)),
        ("rnnlm/words.txt", lambda path: load_recurrent(path.parent)),
        ("rnnlm/weights.safetensors", lambda path: load_recurrent(path.parent)),
        ("model.onnx", load),
        ("words.dic", lambda path: read_dictionary(path, TextSettings())),
        ("all.jsonl", read_manifest),
    ],
)
def test_no_other_file_of_a_stranger_runs_code(tmp_path, name, read, kind):
    sprung, path = tmp_path / "sprung", tmp_path / name
    Training(tmp_path / "rnnlm", [["a", "b"]] * 8, [["a"]], RecurrentLMSettings(size=4, max_epochs=1)).run()
    if kind == "pickle":
        torch.save(Trap(sprung), path)
    else:
        path.write_text(f"words: !!python/object/apply:os.mkdir ['{sprung}']\n")
    with contextlib.suppress(AsrError):  # a dictionary may hold any words
        read(path)
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["../lm.bin", "/etc/passwd", "sub/lm.bin", "..", "", "~/lm.bin"])
def test_a_decoder_names_no_file_outside_its_model(model_dir, name):
    path = model_dir / "decoder.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"language_model": name}))
    with pytest.raises(CheckpointError, match=r"decoder\.yaml: .* is no name of a file beside it"):
        load(model_dir)


@pytest.mark.parametrize("key", ["weights", "vocabulary", "include", "defaults"])
def test_settings_name_no_other_files(model_dir, key):
    path = model_dir / "config.yaml"
    path.write_text(path.read_text() + f"{key}: ../../elsewhere\n")
    with pytest.raises(CheckpointError, match=rf"config\.yaml: {key} is no setting"):
        load(model_dir)


def with_header(header: dict[str, object], data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


WEIGHT = "network.head.1.bias"


@pytest.mark.parametrize(
    "content",
    [
        with_header(
            {WEIGHT: {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}, bytes(64)
        ),
        with_header({WEIGHT: {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 64]}}, bytes(64)),
        with_header({WEIGHT: {"dtype": "F32", "shape": [2**63, 4], "data_offsets": [0, 64]}}, bytes(64)),
        with_header({WEIGHT: {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}, bytes(16)),
        with_header({WEIGHT: {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]}}, bytes(16)),
        with_header({WEIGHT: {"dtype": "X9", "shape": [2], "data_offsets": [0, 16]}}, bytes(16)),
        with_header({WEIGHT: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0\0\xc0\x7f"),
        with_header({"another": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(16)),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 100_000_000) + b"{" * 1000,
    ],
    ids=[
        *("more than there is", "offsets that lie", "overflow", "negative", "integers", "unknown type"),
        *("not a number", "other name", "endless header", "long header"),
    ],
)
def test_weights_that_are_not_those_of_the_settings(model_dir, content):
    (model_dir / "weights.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"^{model_dir}: .*; copy it again, whole"):
        load(model_dir)


def test_a_network_that_no_machine_holds_is_refused_before_it_is_made(model_dir):
    path = model_dir / "config.yaml"
    values = yaml.safe_load(path.read_text())
    for changes in (
        {"hidden_size": 65536},
        {"hidden_size": 60_000, "num_layers": 100, "num_channels": 65536},
    ):
        path.write_text(yaml.safe_dump(values | {"model": values["model"] | changes}))
        with pytest.raises(CheckpointError, match=r"weights\.safetensors does not fit config\.yaml"):
            load(model_dir)
    for key in ("hidden_size", "num_layers", "projection", "lookahead", "kernel_size"):
        path.write_text(yaml.safe_dump(values | {"model": values["model"] | {key: 10**15 + 1}}))
        with pytest.raises(CheckpointError, match=rf"model\.{key}=\d+ is more than"):
            load(model_dir)
    for key in ("sample_rate", "fft_length", "num_mels"):
        path.write_text(yaml.safe_dump(values | {"features": values["features"] | {key: 10**15}}))
        with pytest.raises(CheckpointError, match=rf"features\.{key}=\d+ must be at most"):
            load(model_dir)


def test_a_vocabulary_longer_than_the_head(model_dir):
    with (model_dir / "vocabulary.txt").open("a") as file:
        file.write("é\n")
    with pytest.raises(CheckpointError, match=r"weights\.safetensors does not fit .*head"):
        load(model_dir)


def aliases() -> str:
    """A billion laughs: each line nine times the one before."""
    lines = ["a0: &a0 [ha]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines) + "\nmodel: {cell: *a11}\n"


@pytest.mark.parametrize(
    "text",
    [
        aliases(),
        "a: &a [*a]\n",
        "[" * 5000,
        "{a: " * 5000,
        f"seed: {'9' * 6000}\n",
        "date: 2024-13-45\n",
        "model: {dropout: " + "9" * 400 + "}\n",
        "? [a, b]\n: c\n",
        "\t",
    ],
    ids=[
        "aliases",
        "itself",
        "deep list",
        "deep mapping",
        "long number",
        "date",
        "large number",
        "key",
        "tab",
    ],
)
def test_settings_are_small_and_plain(model_dir, text):
    (model_dir / "config.yaml").write_text("format_version: 1\n" + text)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"config\.yaml") as caught:
            checkpoint.load_settings(model_dir)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["config.yaml", "vocabulary.txt", "decoder.yaml"])
def test_a_gigabyte_of_text_is_not_read(model_dir, name):
    os.truncate(model_dir / name, 1 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="bytes are too many"):
            load(model_dir)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_an_exported_file_holds_no_long_texts_either(tmp_path):
    path = tmp_path / "model.onnx"
    onnx_file.write(path, b"", {"config.yaml": "a: 1\n" + "#" * (1 << 20)})
    with pytest.raises(CheckpointError, match="bytes are too many"):
        checkpoint.load_settings(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": [-1, -1, -1, -1, -1, -1, -1]},
        {"sizes": [10**12] * 7},
        {"sizes": [1.5] * 7},
        {"sizes": []},
        {"sizes": None},
        {"counts": [10**12]},
        {"counts": []},
        {"counts": ["x"]},
        {"counts": [-7]},
    ],
    ids=str,
)
def test_a_language_model_whose_counts_lie(model_dir, changes):
    path = model_dir / "lm.bin"
    whole = path.read_bytes()
    (length,) = struct.unpack_from("<Q", whole, 16)
    header = json.dumps(json.loads(whole[24 : 24 + length]) | changes).encode()
    path.write_bytes(whole[:16] + struct.pack("<Q", len(header)) + header + whole[24 + length :])
    with pytest.raises(CheckpointError, match=r"lm\.bin: .*`asr tune` packs it anew"):
        load(model_dir)


def test_a_language_model_whose_header_has_no_end(model_dir):
    path = model_dir / "lm.bin"
    whole = path.read_bytes()
    for length, header in ((2**64 - 1, b"{}"), (100_000, b"[" * 100_000)):
        path.write_bytes(whole[:16] + struct.pack("<Q", length) + header)
        with pytest.raises(AsrError, match="cannot be used"):
            NGram.load(path)


def test_a_packed_gigabyte_without_lines_is_no_language_model(tmp_path):
    import gzip

    path = tmp_path / "lm.arpa.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(AsrError, match="is no ARPA file"):
            NGram.load(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_links_are_followed_when_a_model_is_read_and_never_written_through(model_dir, tmp_path):
    elsewhere = tmp_path / "elsewhere.safetensors"
    os.replace(model_dir / "weights.safetensors", elsewhere)
    (model_dir / "weights.safetensors").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    load(model_dir)
    with checkpoint.revise(model_dir) as partial:
        (partial / "weights.safetensors").write_bytes(b"other")
    assert elsewhere.read_bytes() == before
    assert not (model_dir / "weights.safetensors").is_symlink()


def tar_with(*members: tarfile.TarInfo) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return content.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "content",
    [
        tar_with(member("../../outside")),
        tar_with(member("a/../../outside")),
        tar_with(member("link", tarfile.SYMTYPE, "../.."), member("link/outside")),
        tar_with(member("link", tarfile.SYMTYPE, "/etc"), member("link/outside")),
        tar_with(member("hard", tarfile.LNKTYPE, "../../../etc/passwd")),
        tar_with(member("device", tarfile.CHRTYPE)),
    ],
    ids=["parent", "hidden parent", "link up", "link away", "hard link", "device"],
)
def test_an_archive_reaches_nothing_outside_its_folder(home, tmp_path, content):
    folder = tmp_path / "deep" / "download"
    with pytest.raises(DownloadError, match=r"corpus\.tar: cannot be unpacked \(.*\); it is removed"):
        fetch([home.archive("corpus.tar", content)], folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "download"]


def test_an_absolute_name_in_an_archive_lands_in_its_folder(home, tmp_path):
    fetch([home.archive("corpus.tar", tar_with(member(f"{tmp_path}/outside")))], tmp_path / "download")
    assert not (tmp_path / "outside").exists()


def test_a_link_in_a_zip_file_is_a_file(home, tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    fetch([home.archive("corpus.zip", content.getvalue())], tmp_path)
    assert not (tmp_path / "corpus" / "link").is_symlink()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("a.wav", b""), ("a.json", b"[1]")], "a.json is no JSON object"),
        ([("a.wav", b""), ("a.json", b"[" * 100_000)], "not a plain, whole tar"),
        ([("a.wav", b""), ("a.json", b'{"text": "", "duration": "long"}')], "is no number of seconds"),
        (
            [("a.wav", b""), ("a.json", b'{"text": "", "duration": 1' + b"0" * 400 + b"}")],
            "is no number of seconds",
        ),
        ([("a.wav", b""), ("a.txt", bytes((1 << 24) + 1))], "too many for the text a.txt"),
    ],
)
def test_a_shard_that_lies(tmp_path, members, reason):
    with pytest.raises(ManifestError, match=reason):
        read_shards(write_tar(tmp_path / "a.tar", members))


def test_names_in_a_shard_are_never_places(tmp_path):
    """They name what is written of it; nothing is unpacked."""
    from asr.transcription import find_jobs

    write_tar(
        tmp_path / "a.tar", [("../../b.wav", b"sound"), ("../../b.json", b'{"text": "", "duration": 1}')]
    )
    (utterance,) = read_shards(tmp_path / "a.tar")
    line = {"audio_filepath": "a.tar", "duration": 1, "text": "", "member": list(utterance.member)}
    (tmp_path / "m.jsonl").write_text(json.dumps(line) + "\n")
    assert [job.target for job in find_jobs([str(tmp_path / "m.jsonl")])] == ["b"]
