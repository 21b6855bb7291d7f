"""Digits spoken by the synthetic voices that Debian packages, as further speakers to train on.

Six people recorded the corpus, too few to understand a seventh. The voices of espeak-ng (accents times voice
variants), flite and festival differ in vocal tract, pitch, pace and accent, and speak a string of digits in
one breath, where in joined recordings no sound influences the next.
"""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import which

import numpy as np
from prepare import DIGITS, DIGITS_PER_STRING, SAMPLE_RATE, write_flac
from rich.console import Console
from rich.progress import track

from asr import audio
from asr.errors import AsrError
from asr.manifest import Utterance, write_manifest

STRINGS_PER_VOICE = 12

PROGRAMS = ("espeak-ng", "flite", "text2wave")
_REMEDY = "apt install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts"

ESPEAK = {
    "en": "m1 m6 Andy Henrique Mike david iven4 norbert robert",
    "en-us": "f1 anika steph steph3 Nguyen ed john pablo victor",
    "en-gb-scotland": "m2 m7 Denis Jacky Storm f5 klatt paul",
    "en-gb-x-gbclan": "f2 Alicia grandma grandpa adam edward marcelo pedro",
    "en-gb-x-rp": "m3 m8 Diogo Lee antonio Gene2 Alicia belinda",
    "en-gb-x-gbcwmd": "f4 Andrea shelby Mario m3 gustave max quincy",
    "en-029": "m5 Alex Gene Michael benjamin iven2 michel rob",
    "en-us-nyc": "f5 belinda Annie f3 f2 aunty klatt2 f1",
}
"""Accents of espeak-ng, and the variants that speak with each: those that sound like somebody, so no
whispers, robots or monsters, and none of those held out."""

PAUSES = (0.0, 0.3, 1.0)
"""How likely a comma follows a digit; each string draws one of these."""


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


TRAINING = (
    *(Voice("espeak", f"{accent}+{name}") for accent, names in ESPEAK.items() for name in names.split()),
    *(Voice("flite", name) for name in ("awb", "slt", "kal", "kal16")),
    *(Voice("festival", name) for name in ("kal_diphone", "cmu_us_slt_arctic_hts")),
)
HELD_OUT = (
    *(Voice("espeak", name) for name in ("en-us+travis", "en-gb-scotland+linda", "en-029+sandro", "en+m4")),
    Voice("flite", "rms"),
    Voice("festival", "ked_diphone"),
)
"""Voices that no training hears, their espeak variants under no accent either: for samples and tests."""


def synthesise(output_dir: Path, *, seed: int = 1) -> Path:
    """Let every training voice speak the ten digits and twelve strings; 15 s on two cores, 40 min of speech.

    Returns:
        The manifest ``voices.jsonl``; the audio lies beside it in ``voices/``.

    Raises:
        AsrError: a synthesiser or one of its voices is not installed.
    """
    check_programs()
    output_dir = Path(output_dir)
    speak_numbered = partial(_speak_all, folder=output_dir / "voices", seed=seed)
    with ThreadPoolExecutor(max_workers=2) as pool:
        spoken = pool.map(speak_numbered, range(len(TRAINING)))
        console = Console(stderr=True)
        shown = track(spoken, "synthesising voices", total=len(TRAINING), console=console)
        utterances = [utterance for of_one_voice in shown for utterance in of_one_voice]
    path = output_dir / "voices.jsonl"
    write_manifest(path, utterances)
    return path


def check_programs() -> None:
    """Say what to install before the work rather than in its middle.

    Raises:
        AsrError: a synthesiser is missing.
    """
    missing = [program for program in PROGRAMS if which(program) is None]
    if missing:
        raise AsrError(f"{', '.join(missing)}: not installed; `{_REMEDY}` brings every voice.")


def _speak_all(number: int, *, folder: Path, seed: int) -> list[Utterance]:
    voice = TRAINING[number]
    # A generator for each voice: what one says does not depend on when the others are done.
    rng = np.random.default_rng([seed, number])
    pace = rng.uniform(0.75, 1.1)
    utterances = []
    for position, (text, spoken) in enumerate(_draw_texts(rng)):
        manner = Manner(pace * rng.uniform(0.9, 1.1), int(rng.integers(35, 66)))
        waveform = _at_level(speak(voice, spoken, SAMPLE_RATE, manner), rng.uniform(-22, -1))
        path = folder / voice.speaker / f"{position:02d}.flac"
        write_flac(path, waveform)
        utterances.append(Utterance(str(path), len(waveform) / SAMPLE_RATE, text, speaker=voice.speaker))
    return utterances


def _draw_texts(rng: np.random.Generator) -> list[tuple[str, str]]:
    """The ten digits, then strings: each as its transcript and as the synthesiser is to read it."""
    texts = [(digit, digit) for digit in DIGITS]
    for _ in range(STRINGS_PER_VOICE):
        words = rng.choice(DIGITS, size=rng.integers(*DIGITS_PER_STRING, endpoint=True)).tolist()
        commas = rng.random(len(words)) < rng.choice(PAUSES)
        spoken = " ".join(word + "," * comma for word, comma in zip(words, commas.tolist(), strict=True))
        texts.append((" ".join(words), spoken.rstrip(",")))
    return texts


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
            raise AsrError(f"{command[0]}: not installed; `{_REMEDY}` brings every voice.") from None
        # text2wave ends with status 0 even when it found no voice.
        if done.returncode or not path.exists():
            reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise AsrError(f"{voice.speaker}: cannot speak ({reason[0]}); `{_REMEDY}` brings every voice.")
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


def _at_level(waveform: audio.Waveform, decibels: float) -> audio.Waveform:
    """The waveform with its peak at so many decibels of full scale."""
    peak = float(np.abs(waveform).max(initial=0)) or 1.0
    return waveform * np.float32(10 ** (decibels / 20) / peak)
