"""Utterances joined to recordings of up to a minute or more, for training.

A network that has only ever heard one sentence at a time keeps what it made of a voice for minutes. Trained on joined
ones it hears who speaks now, so that long recordings come out better, and nearly the same whatever windows they are
heard in (`docs/transcribing.md` has the figures).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from asr import audio
from asr.errors import ManifestError
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.whole_files import written_beside

MOST_IN_A_ROW = 4
"""Utterances of one speaker, until the next one speaks."""


def join(
    utterances: Sequence[Utterance],
    folder: Path,
    seconds: tuple[float, float],
    *,
    sample_rate: int = 16000,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Utterance]:
    """Write the recordings to a folder, FLAC of 16 bits; each utterance is heard in one of them.

    ``seconds`` are the shortest and the longest to be drawn; one goes on until its last utterance ends. A speaker says
    one to four utterances in a row.

    Raises:
        ManifestError: an utterance has features and no audio, or its audio would be written over; the seconds are
            none; or nothing can be written there.
        AudioError: a recording cannot be read.
    """
    if not 0 <= seconds[0] <= seconds[1] < math.inf:
        raise ManifestError(
            f"no recording lasts {seconds[0]:g} to {seconds[1]:g} s; the shortest comes first."
        )
    for utterance in utterances:
        if utterance.features_filepath is not None:
            raise ManifestError(f"{utterance.name}: has features and no audio, which cannot be joined.")
    rng = np.random.default_rng(seed)
    groups = list(_grouped(_in_rows(utterances, rng), seconds, rng))
    paths = [folder / f"{place:05d}.flac" for place in range(len(groups))]
    _refuse_inputs(paths, utterances)
    joined = []
    for place, (path, group) in enumerate(zip(paths, groups, strict=True)):
        joined.append(_write(group, path, sample_rate))
        progress(place + 1, len(groups))
    return joined


def _refuse_inputs(paths: Sequence[Path], utterances: Sequence[Utterance]) -> None:
    inputs = {Path(str(one.audio_filepath)).resolve() for one in utterances}
    for path in paths:
        if path.resolve() in inputs:
            raise ManifestError(
                f"{path}: is to be joined, and would be written over; give the result another name."
            )


def _in_rows(utterances: Sequence[Utterance], rng: np.random.Generator) -> Iterator[Utterance]:
    """All in an order drawn at random, so many in a row of a speaker; one who is not known is always another."""
    speakers: dict[object, list[Utterance]] = {}
    for place in rng.permutation(len(utterances)).tolist():
        speakers.setdefault(utterances[place].speaker or place, []).append(utterances[place])
    rows = []
    for said in speakers.values():
        while said:
            count = int(rng.integers(1, MOST_IN_A_ROW, endpoint=True))
            rows.append(said[-count:])
            del said[-count:]
    for place in rng.permutation(len(rows)).tolist():
        yield from rows[place]


def _grouped(
    utterances: Iterator[Utterance], seconds: tuple[float, float], rng: np.random.Generator
) -> Iterator[list[Utterance]]:
    """Neighbours, each group as long as the length drawn for it or up to an utterance longer."""
    group: list[Utterance] = []
    wanted = rng.uniform(*seconds)
    for utterance in utterances:
        group.append(utterance)
        if sum(one.duration for one in group) >= wanted:
            yield group
            group, wanted = [], rng.uniform(*seconds)
    if group:
        yield group


def _write(group: Sequence[Utterance], path: Path, sample_rate: int) -> Utterance:
    waveform: audio.Waveform = np.concatenate([load_input(one, sample_rate, 0) for one in group])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(path) as partial:
            soundfile.write(partial, waveform.clip(-1, 1), sample_rate, format="FLAC")
    except (OSError, soundfile.SoundFileError) as error:
        raise ManifestError(
            f"{path}: cannot be written ({error}); make room, or choose another place."
        ) from None
    speakers = {one.speaker for one in group}
    return Utterance(
        str(path),
        len(waveform) / sample_rate,
        " ".join(one.text for one in group),
        speaker=speakers.pop() if len(speakers) == 1 else None,
    )
