"""Precomputed features from disk: Sphinx ``.mfc``, HTK, ``.npy``; ``(num_frames, num_coefficients)`` float32."""

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.errors import AudioError


def read(path: str | os.PathLike[str], num_coefficients: int) -> NDArray[np.float32]:
    """The static features of one utterance; the format follows the suffix (``.npy``, ``.mfc``, else HTK).

    Raises:
        AudioError: the file is missing, damaged, or has another number of coefficients.
    """
    path = Path(path)
    try:
        features = _readers.get(path.suffix.lower(), _read_htk)(path, num_coefficients)
    except (OSError, ValueError, struct.error) as error:
        raise AudioError(f"{path}: the features cannot be read ({error}).") from None
    if features.ndim != 2 or features.shape[1] != num_coefficients or not len(features):
        raise AudioError(
            f"{path}: features of shape {features.shape}, but the model expects (frames, {num_coefficients})."
        )
    if not np.isfinite(features).all():
        raise AudioError(f"{path}: the features hold a value that is not a finite number; compute them again.")
    return np.ascontiguousarray(features, dtype=np.float32)


def _read_npy(path: Path, num_coefficients: int) -> NDArray[np.float32]:
    # allow_pickle=False: loading a stranger's features can run no code.
    features: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return features


def _read_sphinx(path: Path, num_coefficients: int) -> NDArray[np.float32]:
    """A count of floats (int32), then the floats; the count tells the byte order."""
    data = path.read_bytes()
    num_floats = (len(data) - 4) // 4
    for order in (">", "<"):
        if struct.unpack(order + "i", data[:4])[0] == num_floats:
            return np.frombuffer(data, order + "f4", offset=4).reshape(-1, num_coefficients)
    raise ValueError("the count in its header does not match its size: truncated, or no Sphinx file")


def _read_htk(path: Path, num_coefficients: int) -> NDArray[np.float32]:
    """HTK Book 5.7.1: big-endian frames, period in 100 ns, bytes a frame, kind; then float32 vectors."""
    data = path.read_bytes()
    num_frames, _, frame_bytes, kind = struct.unpack(">iihH", data[:12])
    if kind & 0o2000:
        raise ValueError("compressed HTK; write it again without _C")
    if len(data) - 12 < num_frames * frame_bytes or frame_bytes % 4 or frame_bytes <= 0:
        raise ValueError("its header does not match its size: truncated, or no HTK file")
    values = np.frombuffer(data, ">f4", count=num_frames * frame_bytes // 4, offset=12)
    return values.reshape(num_frames, frame_bytes // 4)


_readers = {".npy": _read_npy, ".mfc": _read_sphinx}
