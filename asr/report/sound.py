"""What a browser plays: a link to the recording as it lies there, or the recording itself inside the page."""

import base64
import io
import os
from pathlib import Path
from urllib.parse import quote

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.manifest import Utterance

Sound = tuple[str, float, float]
"""An address, and the seconds in it at which the utterance begins and ends."""
PLAYABLE = frozenset((".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".webm"))
"""What browsers play; the others, and what lies in tar files, can be embedded."""


def link(utterance: Utterance, folder: Path) -> Sound | None:
    """Relative to the page's folder; None where no browser could play it."""
    path = utterance.audio_filepath
    if path is None or utterance.member is not None or Path(path).suffix.lower() not in PLAYABLE:
        return None
    address = quote(Path(os.path.relpath(path, folder)).as_posix())
    return address, utterance.start, utterance.start + utterance.duration


def embed(waveform: NDArray[np.float32], sample_rate: int) -> Sound:
    """As FLAC of 16 bits, which all browsers play to the sample: about 15 kB a second at 16 kHz."""
    stream = io.BytesIO()
    soundfile.write(stream, waveform.clip(-1, 1), sample_rate, format="FLAC", subtype="PCM_16")
    address = "data:audio/flac;base64," + base64.b64encode(stream.getvalue()).decode()
    return address, 0.0, len(waveform) / sample_rate
