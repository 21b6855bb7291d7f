"""Precomputed features from disk: Sphinx ``.mfc``, HTK and ``.npy``."""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import AudioError

_HTK_HEADER = struct.Struct(">iihH")
_HTK_COMPRESSED = 0o2000


def read(path: str | os.PathLike[str], num_coefficients: int) -> NDArray[np.float32]:
    """The static features ``(num_frames, num_coefficients)`` of one ``.npy``, ``.mfc`` or else HTK file.

    Raises:
        AudioError: the file is missing, damaged, or has another number of coefficients.
    """
    path = Path(path)
    try:
        stored = _readers.get(path.suffix.lower(), _read_htk)(path, num_coefficients)
    except OSError as error:
        raise AudioError(f"{path}: the features cannot be read ({error.strerror}); check the path.") from None
    except ValueError as error:
        raise AudioError(f"{path}: the features cannot be read ({error}); compute them again.") from None
    if stored.ndim != 2 or stored.shape[1] != num_coefficients or not len(stored):
        raise AudioError(
            f"{path}: features of shape {stored.shape}, but the model expects (frames, {num_coefficients})."
        )
    if stored.dtype.kind not in "iuf":
        raise AudioError(
            f"{path}: values of type {stored.dtype} are not numbers; compute the features again."
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        features = np.array(stored, np.float32, order="C")
    if not np.isfinite(features).all():
        raise AudioError(
            f"{path}: the features hold a value that is not a finite number; compute them again."
        )
    return features


def _read_npy(path: Path, num_coefficients: int) -> NDArray[Any]:
    with path.open("rb") as file:
        try:
            # allow_pickle=False: loading a stranger's features can run no code.
            features: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except OSError:
            raise
        except Exception:
            # NumPy parses the header as Python and lets through whatever Python's parser makes of damage.
            raise ValueError("truncated, or no array of numbers in NumPy's format") from None
    return features


def _read_sphinx(path: Path, num_coefficients: int) -> NDArray[Any]:
    """A count of floats (int32), then the floats; the count tells the byte order."""
    data = path.read_bytes()
    num_floats, rest = divmod(len(data) - 4, 4)
    for order in (">", "<"):
        if not rest and num_floats >= 0 and struct.unpack(order + "i", data[:4])[0] == num_floats:
            if num_floats % num_coefficients:
                raise ValueError(f"{num_floats} values are not a multiple of {num_coefficients}")
            return np.frombuffer(data, order + "f4", offset=4).reshape(-1, num_coefficients)
    raise ValueError("the count in its header does not match its size: truncated, or no Sphinx file")


def _read_htk(path: Path, num_coefficients: int) -> NDArray[Any]:
    """HTK Book 5.7.1: big-endian frames, period in 100 ns, bytes a frame, kind; then float32 vectors."""
    data = path.read_bytes()
    if len(data) < _HTK_HEADER.size:
        raise ValueError("truncated, or no HTK file")
    num_frames, _, frame_bytes, kind = _HTK_HEADER.unpack_from(data)
    num_values, rest = divmod(frame_bytes, 4)
    if num_frames < 0 or num_values <= 0 or rest or len(data) - _HTK_HEADER.size < num_frames * frame_bytes:
        raise ValueError("its header does not match its size: truncated, or no HTK file")
    if kind & _HTK_COMPRESSED:
        raise ValueError("compressed HTK; write it again without _C")
    values = np.frombuffer(data, ">f4", count=num_frames * num_values, offset=_HTK_HEADER.size)
    return values.reshape(num_frames, num_values)


_readers = {".npy": _read_npy, ".mfc": _read_sphinx}
