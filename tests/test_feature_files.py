"""Precomputed features survive the way to disk and back, and damage is refused with one sentence."""

import struct
from pathlib import Path

import numpy as np
import pytest

from asr import feature_files
from asr.errors import AudioError

FEATURES = np.random.default_rng(0).normal(size=(7, 13)).astype(np.float32)


def sphinx(features: np.ndarray = FEATURES, order: str = ">") -> bytes:
    return struct.pack(order + "i", features.size) + features.astype(order + "f4").tobytes()


def htk(features: np.ndarray = FEATURES, kind: int = 6, frame_bytes: int = 52, num_frames: int = 7) -> bytes:
    return struct.pack(">iihH", num_frames, 100_000, frame_bytes, kind) + features.astype(">f4").tobytes()


def refused(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        feature_files.read(path, 13)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.mfc", sphinx()),
        ("a.MFC", sphinx(order="<")),
        ("a.htk", htk()),
        ("a.fea", htk()),
        ("a", htk()),
    ],
    ids=["sphinx", "sphinx, little-endian", "htk", "htk by another name", "htk without a suffix"],
)
def test_formats(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    found = feature_files.read(tmp_path / name, 13)
    np.testing.assert_array_equal(found, FEATURES)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert found.flags.writeable
    np.testing.assert_array_equal(feature_files.read(str(tmp_path / name), 13), FEATURES)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, dtype, order):
    np.save(tmp_path / "a.npy", np.array(FEATURES.astype(dtype), order=order))
    found = feature_files.read(tmp_path / "a.npy", 13)
    np.testing.assert_allclose(found, FEATURES, rtol=0, atol=2e-3 if dtype == "float16" else 0)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.mfc", b"", "truncated"),
        ("a.mfc", b"\0\0", "truncated"),
        ("a.mfc", sphinx()[:-4], "truncated"),
        ("a.mfc", sphinx()[:-3], "truncated"),
        ("a.mfc", sphinx() + b"x", "truncated"),
        ("a.mfc", sphinx(FEATURES[:, :12]), "not a multiple of 13"),
        ("a.mfc", struct.pack(">i", 0), "shape"),
        ("a.htk", b"", "truncated"),
        ("a.htk", htk()[:-1], "truncated"),
        ("a.htk", htk(kind=0o2006), "compressed"),
        ("a.htk", htk(frame_bytes=0), "truncated"),
        ("a.htk", htk(frame_bytes=51), "truncated"),
        ("a.htk", htk(num_frames=-1), "truncated"),
        ("a.htk", htk(num_frames=0), "shape"),
        ("a.htk", htk(FEATURES.reshape(13, 7), frame_bytes=28, num_frames=13), "shape"),
        ("a.htk", b"plain text that goes on for more than twelve bytes", "truncated"),
        ("a.npy", b"", "cannot be read"),
        ("a.npy", b"\x93NUMPY\x01\x00", "cannot be read"),
        ("a.npy", b"text", "cannot be read"),
    ],
)  # fmt: skip
def test_damage_is_refused(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    assert reason in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (FEATURES[:, :12], "model expects (frames, 13)"),
        (FEATURES[0], "model expects"),
        (FEATURES[:0], "model expects"),
        (FEATURES[None], "model expects"),
        (np.where(FEATURES > 1, np.nan, FEATURES), "not a finite number"),
        (np.where(FEATURES > 1, np.inf, FEATURES), "not a finite number"),
        (FEATURES.astype(np.float64) * 1e300, "not a finite number"),
        (np.array([["a"] * 13]), "not numbers"),
        (FEATURES.astype(complex), "not numbers"),
    ],
    ids=["columns", "vector", "empty", "cube", "nan", "inf", "beyond float32", "strings", "complex"],
)
def test_other_arrays_are_refused(tmp_path, array, reason):
    np.save(tmp_path / "a.npy", array)
    assert reason in refused(tmp_path / "a.npy")


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.npy", "a.mfc", "a.htk"])
def test_missing_file_and_folder(tmp_path, name):
    assert "No such file" in refused(tmp_path / name)
    (tmp_path / name).mkdir()
    assert "Is a directory" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.mfc", "a.htk"])
def test_random_damage_raises_nothing_else(tmp_path, name):
    np.save(tmp_path / "whole.npy", FEATURES)
    data = {"a.npy": (tmp_path / "whole.npy").read_bytes(), "a.mfc": sphinx(), "a.htk": htk()}[name]
    random = np.random.default_rng(0)
    num_refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        for position in random.integers(min(128, len(data)), size=3):
            damaged[position] = random.integers(256)
        (tmp_path / name).write_bytes(damaged[: random.integers(1, len(data) + 1)])
        try:
            assert np.isfinite(feature_files.read(tmp_path / name, 13)).all()
        except AudioError:
            num_refused += 1
    assert num_refused > 100
