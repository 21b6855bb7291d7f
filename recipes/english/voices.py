"""Sentences read by synthetic voices: words, and sounds side by side, that the few hours of real speech lack."""

from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from asr.manifest import Utterance, read_manifest, write_manifest
from asr.synthesis import Manner, Voice, at_level, for_each, speak

SAMPLE_RATE = 16000
RECORDED = (
    *(Voice("flite", name) for name in ("awb", "rms", "slt", "kal16")),
    *(Voice("festival", name) for name in ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")),
)
"""Voices put together from recordings of people."""
FORMANT = tuple(
    Voice("espeak", f"{accent}+{variant}")
    for accent, variants in {
        "en-us": "m1 m3 m7 f1 f2 f5 Andy Annie steph john pablo ed",
        "en-gb": "m2 m6 f4 Alicia david edward Mike klatt",
        "en-gb-scotland": "m4 f3 Denis Jacky",
        "en-029": "m5 Alex Michael benjamin",
    }.items()
    for variant in variants.split()
)
"""Voices of espeak-ng, calculated from nothing: many, and farther from speech."""
RECORDED_SHARE = 0.75


def synthesise(sentences: list[str], output_dir: Path, *, seed: int = 1) -> Path:
    """Let a voice drawn at random read each sentence, at a pace of its own; what was read before is not read again.

    Returns:
        The manifest ``voices.jsonl``; the audio lies beside it in ``voices/``.

    Raises:
        AsrError: a synthesiser or one of its voices is not installed.
    """
    path = Path(output_dir) / "voices.jsonl"
    if path.exists() and [utterance.text for utterance in read_manifest(path)] == sentences:
        return path
    read = partial(_read, sentences, folder=Path(output_dir) / "voices", seed=seed)
    write_manifest(path, for_each(len(sentences), read))
    return path


def _read(sentences: list[str], number: int, *, folder: Path, seed: int) -> Utterance:
    # A generator for each sentence: no voice depends on when the others are done.
    rng = np.random.default_rng([seed, number])
    voices = RECORDED if rng.random() < RECORDED_SHARE else FORMANT
    voice = voices[rng.integers(len(voices))]
    manner = Manner(rng.uniform(0.85, 1.15), int(rng.integers(30, 71)))
    waveform = at_level(speak(voice, sentences[number], SAMPLE_RATE, manner), rng.uniform(-15, -1))
    path = folder / f"{number:05d}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, SAMPLE_RATE)
    duration = len(waveform) / SAMPLE_RATE
    return Utterance(str(path), duration, sentences[number], speaker=voice.speaker)
