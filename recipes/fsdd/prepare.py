"""Manifests of the Free Spoken Digit Dataset: its isolated digits, and strings of digits joined from them.

    python recipes/fsdd/prepare.py --voices
    python recipes/fsdd/prepare.py --corpus-dir free-spoken-digit-dataset --output-dir data/fsdd --voices

The official split is by a recording's index: 0-4 test, 5-49 train. Choices are made on 5-9, which training
never sees. With ``--held-out`` one speaker is the whole test set instead. A string holds recordings of one
speaker and of one split, so that no recording is heard on two sides; its line has the key ``joins``, the true
time of each digit.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.progress import track

from asr import audio
from asr.download import Archive
from asr.errors import ManifestError
from asr.manifest import Utterance, read_manifest
from asr.recipe import prepare_only, prepare_options, write_sets
from asr.whole_files import written_beside

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAMPLE_RATE = 8000
SPLITS = ("train", "dev", "test")
NUM_STRINGS = {"train": 1200, "dev": 100, "test": 200}
DIGITS_PER_STRING = (2, 8)
GAP_SECONDS = (0.03, 0.4)
EDGE_SECONDS = (0.05, 0.3)
ARCHIVES = (
    # GitHub packs it anew when it is asked for, so no checksum holds for long.
    Archive(
        "fsdd", "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz"
    ),
)

_FRAME = 160
"""Samples in the 20 ms over which loudness is judged."""
_QUIETEST_FRAMES = 4
# Two steps of 16-bit audio: a gap of a noise-gated recording stays above digital silence.
_FLOOR = 2 / 32768
_NAME = re.compile(r"(\d)_([^_]+)_(\d+)")
_HOME = "https://github.com/Jakobovski/free-spoken-digit-dataset"


@dataclass(frozen=True)
class Recording:
    """One spoken digit, as its file's name tells."""

    path: Path
    digit: int
    speaker: str
    index: int


def prepare(
    corpus_dir: Path, output_dir: Path, *, held_out: str | None = None, voices: bool = False, seed: int = 1
) -> dict[str, Path]:
    """Write every manifest and the audio of the strings; the same seed gives the same bytes.

    Returns:
        The manifest of each set: train, dev and test of isolated digits, strings-train, strings-dev and
        strings-test, and train-all and dev-all, which training takes.

    Raises:
        ManifestError: the corpus is missing, or lacks a split or the speaker to hold out.
    """
    output_dir = Path(output_dir)
    splits = split(find_recordings(corpus_dir), held_out)
    sets = {name: _isolated(splits[name]) for name in SPLITS}
    for number, name in enumerate(SPLITS):
        rng = np.random.default_rng([seed, number])
        sets[f"strings-{name}"] = _write_strings(splits[name], name, output_dir / "strings" / name, rng)
    sets["train-all"] = sets["train"] + sets["strings-train"]
    sets["dev-all"] = sets["dev"] + sets["strings-dev"]
    if voices:
        # Imported here: without the synthetic voices, nobody needs the synthesisers or their module.
        from voices import synthesise

        sets["train-all"] = sets["train-all"] + read_manifest(synthesise(output_dir, seed=seed))
    return write_sets(output_dir, sets)


def find_recordings(corpus_dir: Path) -> list[Recording]:
    """Every recording of the corpus, by speaker, digit and index, whatever format the audio is in.

    Raises:
        ManifestError: the folder is missing, holds no such recordings, or one of them twice.
    """
    corpus_dir = Path(corpus_dir)
    folder = corpus_dir / "recordings" if (corpus_dir / "recordings").is_dir() else corpus_dir
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such folder; `git clone {_HOME}` and name its folder.")
    names = [(path, _NAME.fullmatch(path.stem)) for path in audio.find(folder)]
    recordings = [Recording(path, int(name[1]), name[2], int(name[3])) for path, name in names if name]
    if not recordings:
        raise ManifestError(
            f"{folder}: no recording is named like 7_theo_12.wav, so this is not the digit dataset; "
            f"`git clone {_HOME}` and name its folder."
        )
    _refuse_repeated(recordings, folder)
    return sorted(recordings, key=lambda recording: (recording.speaker, recording.digit, recording.index))


def _refuse_repeated(recordings: Iterable[Recording], folder: Path) -> None:
    names = Counter(recording.path.stem for recording in recordings)
    name, count = names.most_common(1)[0]
    if count > 1:
        raise ManifestError(f"{folder}: {name} is there {count} times; keep one copy of each recording.")


def split(recordings: Sequence[Recording], held_out: str | None = None) -> dict[str, list[Recording]]:
    """The recordings of train, dev and test; with ``held_out`` that speaker is the test set.

    Raises:
        ManifestError: nobody has that name, or a split has no recording.
    """
    speakers = sorted({recording.speaker for recording in recordings})
    if held_out is not None and held_out not in speakers:
        raise ManifestError(
            f"held-out speaker {held_out!r} is not in the corpus; it has {', '.join(speakers)}."
        )
    splits: dict[str, list[Recording]] = {name: [] for name in SPLITS}
    for recording in recordings:
        splits[_split_of(recording, held_out)].append(recording)
    for name, members in splits.items():
        if not members:
            folder = recordings[0].path.parent
            raise ManifestError(
                f"{folder}: no recording falls into {name}; get the whole corpus from {_HOME}."
            )
    return splits


def _split_of(recording: Recording, held_out: str | None) -> str:
    if held_out is not None and recording.speaker == held_out:
        return "test"
    if 5 <= recording.index < 10:
        return "dev"
    return "test" if held_out is None and recording.index < 5 else "train"


def _isolated(recordings: Iterable[Recording]) -> list[Utterance]:
    return [
        Utterance(str(r.path), audio.duration(r.path), DIGITS[r.digit], speaker=r.speaker) for r in recordings
    ]


def _write_strings(
    recordings: Sequence[Recording], name: str, folder: Path, rng: np.random.Generator
) -> list[Utterance]:
    waveforms = {recording.path: audio.load(recording.path, SAMPLE_RATE) for recording in recordings}
    strings = draw_strings(recordings, NUM_STRINGS[name], rng)
    shown = track(strings, f"joining {name} strings", console=Console(stderr=True))
    utterances = []
    for number, members in enumerate(shown):
        waveform, joins = join([waveforms[member.path] for member in members], rng)
        path = folder / f"{members[0].speaker}-{number:04d}.flac"
        write_flac(path, waveform)
        text = " ".join(DIGITS[member.digit] for member in members)
        duration = len(waveform) / SAMPLE_RATE
        utterances.append(
            Utterance(str(path), duration, text, speaker=members[0].speaker, extra={"joins": joins})
        )
    return utterances


def draw_strings(
    recordings: Sequence[Recording], number: int, rng: np.random.Generator
) -> list[list[Recording]]:
    """Digits at random for one speaker after the other; every recording is used before one is used again."""
    shelves: dict[str, dict[int, list[Recording]]] = {}
    for recording in recordings:
        shelves.setdefault(recording.speaker, {}).setdefault(recording.digit, []).append(recording)
    decks: dict[tuple[str, int], list[Recording]] = {}
    strings = []
    for position in range(number):
        speaker = sorted(shelves)[position % len(shelves)]
        shelf = shelves[speaker]
        digits = rng.choice(sorted(shelf), size=rng.integers(*DIGITS_PER_STRING, endpoint=True))
        strings.append([_draw(decks.setdefault((speaker, d), []), shelf[d], rng) for d in digits.tolist()])
    return strings


def _draw(deck: list[Recording], shelf: Sequence[Recording], rng: np.random.Generator) -> Recording:
    if not deck:
        deck.extend(shelf[index] for index in rng.permutation(len(shelf)))
    return deck.pop()


def join(
    waveforms: Sequence[audio.Waveform], rng: np.random.Generator
) -> tuple[audio.Waveform, list[list[float]]]:
    """The recordings one after the other, with the speaker's own background before, between and behind them.

    Args:
        waveforms: ``(num_samples,)`` each, at 8 kHz.
        rng: draws the gaps, 0.03 to 0.4 s.

    Returns:
        The string ``(num_samples,)`` and the ``[start, end]`` of each recording in it, in seconds.
    """
    bounds = [EDGE_SECONDS, *[GAP_SECONDS] * (len(waveforms) - 1), EDGE_SECONDS]
    gaps = [round(rng.uniform(*bound) * SAMPLE_RATE) for bound in bounds]
    noise = background(waveforms, sum(gaps), rng)
    pieces, joins, position = [noise[: gaps[0]]], [], gaps[0]
    used = gaps[0]
    for waveform, gap in zip(waveforms, gaps[1:], strict=True):
        pieces += [waveform, noise[used : used + gap]]
        joins.append([position / SAMPLE_RATE, (position + len(waveform)) / SAMPLE_RATE])
        position += len(waveform) + gap
        used += gap
    return np.concatenate(pieces), joins


def background(
    waveforms: Iterable[audio.Waveform], num_samples: int, rng: np.random.Generator
) -> audio.Waveform:
    """Noise ``(num_samples,)`` with level and spectrum of the quietest 20-ms frames of the recordings."""
    whole = [waveform[: len(waveform) // _FRAME * _FRAME].reshape(-1, _FRAME) for waveform in waveforms]
    frames = np.concatenate(whole)
    levels = np.sqrt(np.mean(frames**2, axis=1))
    # Frames of digital silence say nothing about the room.
    order = [index for index in np.argsort(levels) if levels[index] > _FLOOR][:_QUIETEST_FRAMES]
    noise = rng.standard_normal(num_samples)
    if order:
        spectrum = np.sqrt(np.mean(np.abs(np.fft.rfft(frames[order] * np.hanning(_FRAME))) ** 2, axis=0))
        noise = _shape(noise, spectrum)
    level = np.mean(levels[order]) if order else _FLOOR
    scaled: audio.Waveform = (noise * level / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return scaled


def _shape(noise: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    """The noise filtered by a magnitude spectrum from 0 to half the sample rate."""
    bins = np.fft.rfft(noise)
    bins *= np.interp(np.linspace(0, 1, len(bins)), np.linspace(0, 1, len(spectrum)), spectrum)
    # An offset is not a sound.
    bins[0] = 0
    shaped: np.ndarray = np.fft.irfft(bins, len(noise))
    return shaped


def write_flac(path: Path, waveform: audio.Waveform) -> None:
    """8 kHz, 16 bits; written beside, then renamed. Samples that came from 16 bits are kept bit for bit."""
    # libsndfile would scale floats by 32767.
    samples = np.clip(np.round(waveform * 32768), -32768, 32767).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as partial:
        soundfile.write(partial, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")


def main() -> int:
    """Print one line a set: utterances, minutes, manifest."""
    parser = prepare_options(
        "Manifests of the Free Spoken Digit Dataset.", "fsdd", "the dataset's folder", ARCHIVES
    )
    parser.add_argument("--held-out", metavar="SPEAKER", help="test on this speaker, train on the others")
    parser.add_argument("--voices", action="store_true", help="add synthetic voices to train-all")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    choices = {"held_out": options.held_out, "voices": options.voices, "seed": options.seed}
    return prepare_only(options, "fsdd", partial(prepare, **choices))


if __name__ == "__main__":
    sys.exit(main())
