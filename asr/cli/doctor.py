"""``asr doctor``: what is installed, what works here, and what to do about the rest."""

import importlib.util
import platform
import sys
from collections.abc import Iterator
from typing import NamedTuple

import typer

FORMATS = {"wav": "WAV", "flac": "FLAC", "ogg (vorbis, opus)": "OGG", "mp3": "MP3", "NIST SPHERE": "NIST"}
EXTRAS = (
    ("m4a, aac, video", ("av",), "to read them: pip install 'asr[av]'"),
    ("export", ("onnx", "onnxruntime"), "for asr export and its models: pip install 'asr[onnx]'"),
    ("microphone", ("sounddevice",), "for asr listen: pip install 'asr[mic]'"),
    ("Ray", ("ray",), "for --ray: pip install 'asr[ray]'"),
)
PACKAGES = ("torch", "numpy", "soundfile", "soxr", "numba", "lightning", "hydra-core", "jiwer", "safetensors")


class Finding(NamedTuple):
    """One thing looked at: whether it works, and the remedy where it does not."""

    name: str
    works: bool
    detail: str
    needed: bool = True


def doctor() -> None:
    """Say what is installed, which formats and devices work, and what to do about the rest.

    The exit code is 1 when something needed does not work.
    """
    findings = [*_versions(), *_compiler(), *_formats(), *_extras(), *_devices(), *_models()]
    for finding in findings:
        mark = "ok" if finding.works else ("MISSING" if finding.needed else "absent")
        print(f"{mark:8}{finding.name:24}{finding.detail}")
    raise typer.Exit(any(finding.needed and not finding.works for finding in findings))


def _versions() -> Iterator[Finding]:
    from importlib import metadata

    from asr import __version__

    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("asr", True, __version__)
    yield Finding("Python", fits, platform.python_version() + ("" if fits else "; take 3.11, 3.12 or 3.13"))
    for package in PACKAGES:
        try:
            yield Finding(package, True, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Finding(package, False, f"install it: pip install {package}")


def _compiler() -> Iterator[Finding]:
    if importlib.util.find_spec("numba") is None:
        return
    from asr.compiled import cache_folder

    folder = cache_folder()
    nowhere = "kept nowhere, each process compiles anew; set NUMBA_CACHE_DIR to a folder that can be written"
    yield Finding(
        "compiled code", folder is not None, f"kept in {folder}" if folder else nowhere, needed=False
    )


def _formats() -> Iterator[Finding]:
    import soundfile

    available = soundfile.available_formats()
    for name, key in FORMATS.items():
        detail = f"libsndfile {soundfile.__libsndfile_version__}"
        yield Finding(name, key in available, detail if key in available else "update soundfile")


def _extras() -> Iterator[Finding]:
    for name, packages, remedy in EXTRAS:
        works = all(importlib.util.find_spec(package) for package in packages)
        yield Finding(name, works, ", ".join(packages) if works else remedy, needed=False)


def _devices() -> Iterator[Finding]:
    import torch

    yield Finding(
        "processor", True, f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )
    has_cuda = torch.cuda.is_available()
    cuda = torch.cuda.get_device_name() if has_cuda else "no CUDA device; training runs on the processor"
    yield Finding("CUDA", has_cuda, cuda, needed=False)
    has_mps = torch.backends.mps.is_available()
    yield Finding("Apple MPS", has_mps, "available" if has_mps else "not this machine", needed=False)


def _models() -> Iterator[Finding]:
    from asr import checkpoint
    from asr.errors import CheckpointError

    for name in checkpoint.bundled():
        try:
            checkpoint.load(name)
            yield Finding(f"model {name}", True, "loads")
        except CheckpointError as error:
            yield Finding(f"model {name}", False, str(error))
