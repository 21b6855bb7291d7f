"""Static features on disk, so that audio is decoded once, however many epochs and trainings there are."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import uuid
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from asr import __version__
from asr.errors import ConfigError
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.manifest import Utterance

_log = logging.getLogger(__name__)


class FeatureCache:
    """A folder that any number of processes may share, and that may be deleted at any time.

    An entry's name is a hash of all that decides its content: the front end, and the path, size and time of
    change of the file with the utterance's place in it. It holds a CRC-32, then float32 rows ``(num_frames,
    num_static)``; what is damaged or cut short is computed anew.

    Raises:
        ConfigError: the folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str], front_end: FrontEnd):
        self.folder = Path(folder)
        self.front_end = front_end
        self._front = [__version__, torch.__version__, dataclasses.asdict(front_end.settings)]
        self._writable = True
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"data.feature_cache={folder}: cannot be made ({error.strerror}).") from None

    def static(self, utterance: Utterance) -> NDArray[np.float32]:
        """The static features ``(num_frames, num_static)`` of an utterance that has audio.

        Raises:
            AudioError: they are not here and the audio cannot be read.
        """
        entry = self._entry(utterance)
        stored = _read(entry, self.front_end.settings.num_static)
        if stored is None:
            stored = self._compute(utterance)
            self._write(entry, stored)
        return stored

    def _entry(self, utterance: Utterance) -> Path:
        path = os.path.abspath(utterance.audio_filepath or "")
        changed = [0, 0]
        with contextlib.suppress(OSError):  # a missing file is told when it is read
            status = os.stat(path)
            changed = [status.st_size, status.st_mtime_ns]
        place = [path, *changed, utterance.member, utterance.offset, utterance.duration]
        key = hashlib.sha256(json.dumps([*self._front, *place]).encode()).hexdigest()
        return self.folder / key[:2] / key[2:]

    def _compute(self, utterance: Utterance) -> NDArray[np.float32]:
        settings = self.front_end.settings
        waveform = self.front_end.tensor(load_input(utterance, settings.sample_rate, settings.num_static))
        with torch.no_grad():
            static, _ = self.front_end.static(waveform.unsqueeze(0), torch.tensor([len(waveform)]))
        features: NDArray[np.float32] = static[0].numpy()
        return features

    def _write(self, entry: Path, features: NDArray[np.float32]) -> None:
        if not self._writable:
            return
        rows = features.astype("<f4").tobytes()
        partial = entry.with_name(f"{entry.name}.{uuid.uuid4().hex}.partial")
        try:
            entry.parent.mkdir(exist_ok=True)
            partial.write_bytes(zlib.crc32(rows).to_bytes(4, "little") + rows)
            os.replace(partial, entry)
        except OSError as error:
            # A full disk costs speed, not the training.
            self._writable = False
            _log.warning("%s: nothing more is stored (%s).", self.folder, error.strerror)
            with contextlib.suppress(OSError):
                partial.unlink()


def _read(entry: Path, num_static: int) -> NDArray[np.float32] | None:
    """None where there is no entry, or no sound one."""
    try:
        data = entry.read_bytes()
    except OSError:
        return None
    rows = data[4:]
    if not rows or len(rows) % (4 * num_static) or zlib.crc32(rows) != int.from_bytes(data[:4], "little"):
        return None
    return np.frombuffer(rows, "<f4").reshape(-1, num_static).astype(np.float32)
