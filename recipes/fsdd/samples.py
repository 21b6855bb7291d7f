"""Make the recordings that `make demo` transcribes: strings of digits in voices that no training hears.

    python recipes/fsdd/samples.py [--output-dir recipes/demo/samples]

They come in the formats and rates that people have: telephone mu-law, wav, flac, opus and stereo mp3.
"""

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from prepare import DIGITS
from voices import HELD_OUT

from asr import audio
from asr.errors import AsrError
from asr.manifest import Utterance, write_manifest
from asr.synthesis import Manner, Voice, check_programs, speak
from asr.whole_files import written_beside

NUM_SAMPLES = 12
DIGITS_PER_SAMPLE = (3, 8)
FOLDER = Path(__file__).parents[1] / "demo" / "samples"


@dataclass(frozen=True)
class Format:
    """A way of storing audio."""

    suffix: str
    container: str
    subtype: str
    sample_rate: int
    channels: int = 1


FORMATS = (
    Format(".wav", "WAV", "ULAW", 8000),
    Format(".wav", "WAV", "PCM_16", 16000),
    Format(".flac", "FLAC", "PCM_16", 22050),
    Format(".opus", "OGG", "OPUS", 48000),
    Format(".mp3", "MP3", "MPEG_LAYER_III", 44100, channels=2),
)


def make_samples(folder: Path, *, seed: int = 1) -> Path:
    """Write twelve recordings, voices and formats taking turns; the same speech from the same seed.

    The bytes are the same too, but for the serial number that an Ogg stream is given at random.

    Returns:
        The manifest ``samples.jsonl`` beside them.

    Raises:
        AsrError: a synthesiser or one of its voices is not installed.
    """
    check_programs()
    rng = np.random.default_rng(seed)
    utterances = []
    for number in range(NUM_SAMPLES):
        voice, form = HELD_OUT[number % len(HELD_OUT)], FORMATS[number % len(FORMATS)]
        words = rng.choice(DIGITS, size=rng.integers(*DIGITS_PER_SAMPLE, endpoint=True)).tolist()
        manner = Manner(rng.uniform(0.85, 1.1), int(rng.integers(40, 61)))
        path = folder / f"{number + 1:02d}-{voice.speaker}{form.suffix}"
        # Every second one is read as a list, with pauses.
        _write(path, _spoken(voice, words, manner, form, pauses=bool(number % 2)), form)
        utterances.append(Utterance(str(path), audio.duration(path), " ".join(words), speaker=voice.speaker))
    manifest = folder / "samples.jsonl"
    write_manifest(manifest, utterances)
    return manifest


def _spoken(voice: Voice, words: list[str], manner: Manner, form: Format, *, pauses: bool) -> audio.Waveform:
    return speak(voice, (", " if pauses else " ").join(words), form.sample_rate, manner)


def _write(path: Path, waveform: audio.Waveform, form: Format) -> None:
    """The waveform with its peak at -4 dB, which leaves room for what lossy formats add."""
    samples = 0.63 * waveform / np.abs(waveform).max()
    # A second channel as of a microphone farther away: mixing down has something to do.
    channels = np.stack([samples, 0.7 * samples][: form.channels], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as partial:
        soundfile.write(partial, channels, form.sample_rate, format=form.container, subtype=form.subtype)


def main() -> int:
    """Print the manifest's path."""
    parser = argparse.ArgumentParser(description="The sample recordings of the demo.")
    parser.add_argument("--output-dir", type=Path, default=FOLDER, help="default: %(default)s")
    options = parser.parse_args()
    # That a 16 kHz voice has nothing above 8 kHz matters to a model; here it is only a file's format.
    logging.getLogger("asr.audio").setLevel(logging.ERROR)
    try:
        print(make_samples(options.output_dir))
    except AsrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
