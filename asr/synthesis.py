"""Speech from text, by the synthesisers that Debian packages: further speakers to train on, and recordings to show.

The voices of espeak-ng (accents times variants), flite and festival differ in vocal tract, pitch, pace and accent.
"""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track

from asr import audio
from asr.errors import AsrError

T = TypeVar("T")

PROGRAMS = ("espeak-ng", "flite", "text2wave")
REMEDY = "apt install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts"


@dataclass(frozen=True)
class Voice:
    """One identity of one synthesiser."""

    engine: str
    """espeak, flite or festival."""
    name: str
    """The engine's own name for it; espeak's is accent+variant."""

    @property
    def speaker(self) -> str:
        """What manifests and folders call it."""
        return f"{self.engine}-{self.name}"


@dataclass(frozen=True)
class Manner:
    """How a voice speaks one utterance."""

    pace: float = 1.0
    """Above 1 is faster."""
    pitch: int = 50
    """0 to 99, around the voice's own at 50; only espeak has it."""


def check_programs() -> None:
    """Say what to install before the work rather than in its middle.

    Raises:
        AsrError: a synthesiser is missing.
    """
    missing = [program for program in PROGRAMS if which(program) is None]
    if missing:
        raise AsrError(f"{', '.join(missing)}: not installed; `{REMEDY}` brings every voice.")


def for_each(number: int, speak_one: Callable[[int], T]) -> list[T]:
    """What ``speak_one`` gives for 0, 1, ...: two at a time, as synthesisers are processes, with a bar on stderr.

    Raises:
        AsrError: as ``check_programs``, before any work, and ``speak``.
    """
    check_programs()
    with ThreadPoolExecutor(max_workers=2) as pool:
        spoken = pool.map(speak_one, range(number))
        return list(track(spoken, "synthesising voices", total=number, console=Console(stderr=True)))


def speak(voice: Voice, text: str, sample_rate: int, manner: Manner = Manner()) -> audio.Waveform:
    """The text in that voice, ``(num_samples,)``, without the silence around it.

    Raises:
        AsrError: the synthesiser says nothing, mostly because the voice is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        command = _ENGINES[voice.engine](voice.name, text, manner, path)
        try:
            done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        except FileNotFoundError:
            raise AsrError(f"{command[0]}: not installed; `{REMEDY}` brings every voice.") from None
        # text2wave ends with status 0 even when it found no voice.
        if done.returncode or not path.exists():
            reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise AsrError(f"{voice.speaker}: cannot speak ({reason[0]}); `{REMEDY}` brings every voice.")
        return trim(audio.load(path, sample_rate), sample_rate)


def _espeak(name: str, text: str, manner: Manner, path: Path) -> list[str]:
    speed = round(165 * manner.pace)
    # At the usual amplitude of 100 a third of the variants clip.
    settings = ["-a", "40", "-s", str(speed), "-p", str(manner.pitch)]
    return ["espeak-ng", "-v", name, *settings, "-w", str(path), text]


def _flite(name: str, text: str, manner: Manner, path: Path) -> list[str]:
    stretch = f"duration_stretch={1 / manner.pace:.3f}"
    return ["flite", "-voice", name, "--setf", stretch, "-t", text, "-o", str(path)]


def _festival(name: str, text: str, manner: Manner, path: Path) -> list[str]:
    """text2wave reads the text from its standard input."""
    stretch = f"(Parameter.set 'Duration_Stretch {1 / manner.pace:.3f})"
    return ["text2wave", "-eval", f"(voice_{name})", "-eval", stretch, "-o", str(path)]


_ENGINES: dict[str, Callable[[str, str, Manner, Path], Sequence[str]]] = {
    "espeak": _espeak,
    "flite": _flite,
    "festival": _festival,
}


def trim(waveform: audio.Waveform, sample_rate: int, *, keep: float = 0.08) -> audio.Waveform:
    """The waveform less its silent ends, 50 dB below the loudest 10 ms; ``keep`` seconds of them stay."""
    size = sample_rate // 100
    frames = waveform[: len(waveform) // size * size].reshape(-1, size)
    levels = np.sqrt(np.mean(frames**2, axis=1))
    loud = np.flatnonzero(levels > levels.max(initial=0) * 10 ** (-50 / 20))
    if not len(loud):
        return waveform
    margin = round(keep * sample_rate)
    return waveform[max(loud[0] * size - margin, 0) : (loud[-1] + 1) * size + margin]


def at_level(waveform: audio.Waveform, decibels: float) -> audio.Waveform:
    """The waveform with its peak at so many decibels of full scale."""
    peak = float(np.abs(waveform).max(initial=0)) or 1.0
    return waveform * np.float32(10 ** (decibels / 20) / peak)
