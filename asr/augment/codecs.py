"""Lines and files that speech comes through: each gives back as many samples, where they were.

libsndfile codes and decodes in memory, as soundfile's wheel brings it.
"""

import io
from functools import partial
from typing import Any

import numpy as np
import soundfile
import soxr

from asr.augment.sound import Waveform, equalize

_LINE_RATE = 8000
"""Hz of telephones, landline and GSM."""
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_MP3_DELAY = 1105
"""Samples by which mp3 comes late: 576 of LAME, 529 of every decoder."""
_MP3_LEVELS = (0.6, 0.99)
"""libsndfile's compression_level: from 64 down to 8 kbit/s at 16 kHz."""


def telephone_band(waveform: Waveform, sample_rate: int) -> Waveform:
    """300 to 3400 Hz stay (ITU-T G.712), and nothing is delayed."""
    response = partial(np.interp, xp=[100, 300, 3400, 4000, 4400], fp=[-40, 0, 0, -40, -100])
    return equalize(waveform, sample_rate, response)


def mu_law(waveform: Waveform, sample_rate: int) -> Waveform:
    """ITU-T G.711: 8 kHz in 8 logarithmic bits."""
    return _coded(waveform, sample_rate, _LINE_RATE, format="WAV", subtype="ULAW")


def gsm(waveform: Waveform, sample_rate: int) -> Waveform:
    """GSM 06.10 full rate: a vocal tract and its excitation, in 33 bytes every 20 ms."""
    return _coded(waveform, sample_rate, _LINE_RATE, format="WAV", subtype="GSM610")


def mp3(waveform: Waveform, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """At a random constant bit rate."""
    rate = min((rate for rate in _MP3_RATES if rate >= sample_rate), default=_MP3_RATES[-1])
    level = rng.uniform(*_MP3_LEVELS)
    return _coded(waveform, sample_rate, rate, format="MP3", compression_level=level, bitrate_mode="CONSTANT")


def _coded(waveform: Waveform, sample_rate: int, coded_rate: int, **codec: Any) -> Waveform:
    sent = soxr.resample(waveform, sample_rate, coded_rate)
    if not len(sent):  # so short that the filter swallows it
        return waveform
    file = io.BytesIO()
    soundfile.write(file, sent, coded_rate, **codec)
    file.seek(0)
    heard, _ = soundfile.read(file, dtype="float32")
    # LAME notes its delay in the first frame, and decoders cut it off; at low bit rates the note does not fit.
    if codec["format"] == "MP3" and len(heard) > len(sent):
        heard = heard[_MP3_DELAY:]
    received = np.clip(soxr.resample(heard, coded_rate, sample_rate)[: len(waveform)], -1, 1)
    return np.pad(received, (0, len(waveform) - len(received)))
