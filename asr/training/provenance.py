"""Where a result comes from: code, versions, machine, data."""

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from asr import __version__
from asr.manifest import Utterance


def commit() -> str:
    """The commit of the package's checkout, ``-dirty`` behind it where files were changed; unknown without one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def versions() -> dict[str, str]:
    """Of what a result may depend on."""
    libraries = {name: version(name) for name in ("lightning", "numpy", "soundfile", "soxr")}
    # torch's own word: it says which build, for a processor or for which CUDA.
    return {"asr": __version__, "python": platform.python_version(), "torch": torch.__version__} | libraries


def describe_set(source: str, utterances: Sequence[Utterance]) -> dict[str, Any]:
    """A set's name, size, and the SHA-256 of its manifest; of tar files, of the list of what is in them."""
    path = Path(source)
    content = path.read_bytes() if path.is_file() and path.suffix != ".tar" else _listed(utterances)
    return {
        "manifest": source,
        "sha256": hashlib.sha256(content).hexdigest(),
        "utterances": len(utterances),
        "hours": round(sum(utterance.duration for utterance in utterances) / 3600, 3),
    }


def _listed(utterances: Sequence[Utterance]) -> bytes:
    return repr([(one.member, one.duration, one.text) for one in utterances]).encode()
