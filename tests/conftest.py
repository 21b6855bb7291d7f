"""Synthesised audio for every test: nothing is downloaded, nothing is random between runs."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from home_server import Home
from hypothesis import HealthCheck, settings

from asr.synthesis import REMEDY

# How fast a busy machine draws its examples says nothing of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def tones(
    seconds: float, rate: int = 16000, pitches: tuple[float, ...] = (220.0, 330.0, 440.0)
) -> np.ndarray:
    """Gliding tones with a slow envelope and a little noise: structured like speech, exactly repeatable."""
    time = np.arange(round(seconds * rate)) / rate
    sweep = sum(np.sin(2 * np.pi * pitch * time * (1 + 0.1 * time)) for pitch in pitches)
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time)
    noise = np.random.default_rng(len(time)).normal(0, 0.01, len(time))
    return (0.2 * sweep * envelope + noise).clip(-1, 1).astype(np.float32)


@pytest.fixture
def write_audio(tmp_path: Path):
    """A function that writes ``seconds`` of tones under the test's own folder and returns the path."""

    def write(name: str, seconds: float = 1.0, rate: int = 16000, **options) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tones(seconds, rate), rate, **options)
        return path

    return write


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora that ``ASR_CORPORA`` names; without it, tests that use it are skipped."""
    folder = os.environ.get("ASR_CORPORA")
    if not folder:
        pytest.skip("ASR_CORPORA names no folder of real corpora (make test CORPORA=...)")
    return Path(folder)


@pytest.fixture(scope="session")
def digits_onnx(tmp_path_factory) -> Path:
    """The bundled model, exported."""
    from asr.export import export

    path = tmp_path_factory.mktemp("exported") / "digits.onnx"
    export("digits-en", path)
    return path


@pytest.fixture(scope="session")
def synthesisers() -> None:
    """Debian's, all three; tests that let them speak are skipped without them."""
    missing = [name for name in ("espeak-ng", "flite", "text2wave") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here: nothing is spoken ({REMEDY})")


@pytest.fixture
def home() -> Iterator[Home]:
    """A server that corpora are downloaded from."""
    with Home() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
