"""One utterance's audio or features, opened and decoded whole: how long it is, and what is wrong with it."""

import dataclasses
import hashlib
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr import audio, feature_files
from asr.errors import AudioError
from asr.feature_settings import FeatureSettings
from asr.inputs import recording
from asr.manifest import Utterance

_SAMPLE_RATE = 8000
"""Hz; what decoded audio is compared at: nothing is resampled upwards, and no fault hides above 4 kHz."""

_PIECE = 4096
"""Bytes of a file's beginning, middle and end that tell it from others without reading it."""

TOLERANCE = 0.1
"""Seconds by which a stated time may miss the file's: what codecs pad and people round."""


@dataclass(frozen=True)
class Heard:
    """What listening to an utterance found."""

    seconds: float
    """How long it really is; what the manifest states where only the model's settings could tell."""
    fingerprint: bytes
    """Equal for equal audio, whatever lossless file it is in."""
    num_frames: int | None
    """Frames at the model's front end; None without its settings."""


class Fault(AudioError):
    """What is wrong with an utterance's audio; ``kind`` groups it in the summary."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def listen(utterance: Utterance, settings: FeatureSettings | None) -> Heard:
    """Decode the utterance whole, which is what finds truncated and damaged files.

    Raises:
        Fault: it cannot be used.
    """
    path = utterance.features_filepath or dataclasses.replace(utterance, offset=None).name
    try:
        if utterance.features_filepath is not None:
            return _listen_to_features(utterance, path, settings)
        return _listen_to_audio(utterance, settings)
    except Fault:
        raise
    except AudioError as error:
        # The line that will print it has named the file already.
        raise Fault("audio", str(error).removeprefix(f"{path}: ").rstrip(".")) from None


def believe(utterance: Utterance, settings: FeatureSettings | None) -> Heard:
    """What the manifest states, unheard: for a look at a corpus in a second. Only pieces of the file are compared.

    Raises:
        Fault: its file is missing or cannot be opened.
    """
    path = utterance.features_filepath or utterance.audio_filepath or ""
    pieces = hashlib.blake2b(repr((utterance.offset, utterance.duration)).encode())
    try:
        with open(path, "rb") as file:
            begin, size = utterance.member[1:] if utterance.member else (0, file.seek(0, os.SEEK_END))
            for place in (0, size // 2, max(0, size - _PIECE)):
                file.seek(begin + place)
                pieces.update(file.read(min(_PIECE, size - place)))
    except OSError as error:
        raise Fault("audio", f"cannot be read ({error.strerror})") from None
    num_frames = None
    if settings is not None:
        num_frames = settings.num_frames(round(utterance.duration * settings.sample_rate))
    return Heard(utterance.duration, pieces.digest(), num_frames)


def _listen_to_features(utterance: Utterance, path: str, settings: FeatureSettings | None) -> Heard:
    try:
        with open(path, "rb") as file:
            fingerprint = hashlib.file_digest(file, "blake2b").digest()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}).") from None
    if settings is None:
        if not os.path.getsize(path):
            raise Fault("audio", "the file is empty; compute the features again")
        return Heard(utterance.duration, fingerprint, None)
    num_frames = len(feature_files.read(path, settings.num_static))
    return Heard(num_frames * settings.hop_seconds, fingerprint, num_frames)


def _listen_to_audio(utterance: Utterance, settings: FeatureSettings | None) -> Heard:
    source = recording(utterance)
    file_seconds = audio.duration(source)
    if utterance.offset is not None:
        _check_segment(utterance, file_seconds)
        waveform = audio.load(source, _SAMPLE_RATE, offset=utterance.start, duration=utterance.duration)
        seconds = min(utterance.duration, file_seconds - utterance.start)
    else:
        waveform = audio.load(source, _SAMPLE_RATE)
        seconds = file_seconds
    _check_waveform(waveform, seconds)
    num_frames = None if settings is None else settings.num_frames(round(seconds * settings.sample_rate))
    return Heard(seconds, hashlib.blake2b(waveform.tobytes()).digest(), num_frames)


def _check_segment(utterance: Utterance, file_seconds: float) -> None:
    end = utterance.start + utterance.duration
    if not 0 <= utterance.start < end <= file_seconds + TOLERANCE:
        raise Fault(
            "segment",
            f"the segment from {utterance.start:g} to {end:g} s is not inside the file, "
            f"which is {file_seconds:.2f} s long; correct offset and duration",
        )


def _check_waveform(waveform: NDArray[np.float32], seconds: float) -> None:
    decoded = len(waveform) / _SAMPLE_RATE
    if decoded < seconds - TOLERANCE:
        raise Fault("audio", f"breaks off at {decoded:.2f} of {seconds:.2f} s; copy the file again")
    if not waveform.any():
        raise Fault("audio", "digital silence; record it again or remove it")
