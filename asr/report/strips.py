"""What a recognizer sees of a recording as strips over one time axis, small enough for hundreds on a page.

A strip is plain values for the page's script: ``wave`` (pairs of least and greatest sample, int8), ``image``
(rows of uint8, the lowest first) or ``curves`` (a row of uint8 a symbol), the bytes in base64.
"""

import base64
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.report.sight import Sight, name_symbol
from asr.types import Word

MOST_COLUMNS = 6000
"""Of a strip; more are no wider than a pixel."""
WAVE_RATE, SPECTROGRAM_RATE = 200, 50
"""Columns a second."""
_MELS = 64
_DYNAMIC = 70.0
"""dB below the loudest moment that are still shown."""
_TICKS = (250, 500, 1000, 2000, 4000, 8000, 16000)

Strip = dict[str, Any]


def picture(sight: Sight, *, features: bool = False) -> dict[str, Any]:
    """The strips of one recording and the words of its reference.

    ``features`` asks for the features even where the waveform's spectrogram is there.
    """
    strips = []
    if sight.waveform is not None and len(sight.waveform):
        strips += [wave(sight.waveform, sight.seconds), spectrogram(sight.waveform, sight.sample_rate)]
    if sight.features is not None and (features or not strips):
        strips.append(image(sight.features_name, sight.features.T, sight.seconds))
    strips.append(posteriors(sight))
    if sight.attention is not None:
        strips.append(attention(sight.attention, sight.written, sight.seconds))
    return {"strips": strips, "said": times(sight.said)}


def times(words: Sequence[Word]) -> list[list[float]]:
    """Start, end and confidence of each."""
    return [[round(word.start, 3), round(word.end, 3), round(word.confidence, 3)] for word in words]


def wave(waveform: NDArray[np.float32], seconds: float) -> Strip:
    """The least and the greatest sample of each 5 ms, as shares of the loudest."""
    columns = min(MOST_COLUMNS, len(waveform), math.ceil(seconds * WAVE_RATE))
    ends = np.stack([-_pooled(-waveform[None], columns)[0], _pooled(waveform[None], columns)[0]], axis=1)
    loudest = max(float(np.abs(ends).max()), 1e-6)
    data = np.round(ends / loudest * 127).astype(np.int8)
    decibels = 20 * math.log10(loudest)
    return {
        **_strip("wave", f"waveform, peak {decibels:.0f} dB", seconds),
        "data": _encoded(data),
    }


def spectrogram(waveform: NDArray[np.float32], sample_rate: int) -> Strip:
    """Mel energies in dB below the loudest (librosa's mel spectrogram: 25 ms windows, Slaney's scale)."""
    # Here, as it takes longer to import than all else that a report needs.
    import librosa

    window, hop = round(0.025 * sample_rate), max(1, sample_rate // 100)
    length = 2 ** math.ceil(math.log2(0.04 * sample_rate))
    padded = np.pad(waveform, (0, max(0, length - len(waveform))))
    power = librosa.feature.melspectrogram(
        y=padded, sr=sample_rate, n_fft=length, win_length=window, hop_length=hop, n_mels=_MELS
    )
    power = power[:, : math.ceil(len(waveform) / hop)]
    decibels = librosa.power_to_db(power, ref=max(float(power.max()), 1e-6), amin=1e-20, top_db=None)
    seconds = len(waveform) / sample_rate
    columns = min(MOST_COLUMNS, power.shape[1], math.ceil(seconds * SPECTROGRAM_RATE))
    shares = 1 + _pooled(np.maximum(decibels, -_DYNAMIC), columns) / _DYNAMIC
    centres = librosa.mel_frequencies(_MELS + 2, fmin=0.0, fmax=sample_rate / 2)[1:-1]
    ticks = [
        [float(np.interp(hertz, centres, np.arange(_MELS))), f"{hertz:g}"]
        for hertz in _TICKS
        if centres[0] < hertz < centres[-1]
    ]
    return {**_image("spectrogram, Hz (mel)", shares, seconds), "ticks": ticks}


def image(label: str, values: NDArray[np.float32], seconds: float) -> Strip:
    """Any ``(rows, columns)``, the lowest and the highest percent cut off."""
    thinned = values[:, :: math.ceil(values.shape[1] / MOST_COLUMNS)]
    low, high = np.percentile(thinned, [1, 99])
    return _image(label, (thinned - low) / max(float(high - low), 1e-9), seconds)


def posteriors(sight: Sight) -> Strip:
    """The probability of each symbol that the model ever thinks of, the blank first."""
    labels = sight.shown_symbols
    shares = np.exp(sight.log_probs[:, labels].T)
    columns = min(MOST_COLUMNS, shares.shape[1])
    return {
        **_strip("curves", "probability of symbols", shares.shape[1] * sight.frame_seconds),
        "symbols": [name_symbol(sight.symbols[label]) for label in labels],
        "data": _encoded(_bytes(_pooled(shares, columns))),
    }


def attention(weights: NDArray[np.floating[Any]], written: Sequence[str], seconds: float) -> Strip:
    """Where each label's attention lay, the first label on top; words stand at their first labels."""
    columns = min(MOST_COLUMNS, weights.shape[1])
    shares = _pooled(weights, columns)[::-1]
    begins = [not at or label.startswith(" ") or written[at - 1] in " ." for at, label in enumerate(written)]
    firsts = [at for at, label in enumerate(written) if label not in " ." and begins[at]]
    texts = [re.split("[ .]", "".join(written[at:]).lstrip(), maxsplit=1)[0] for at in firsts]
    ticks = [[len(written) - 1 - at, text] for at, text in zip(firsts, texts, strict=True)]
    return {**_image("attention", shares / max(float(shares.max()), 1e-9), seconds), "ticks": ticks}


def _image(label: str, shares: NDArray[np.floating[Any]], seconds: float) -> Strip:
    data = _encoded(_bytes(shares))
    return {**_strip("image", label, seconds), "rows": len(shares), "ticks": [], "data": data}


def _strip(kind: str, label: str, seconds: float) -> Strip:
    return {"kind": kind, "label": label, "seconds": round(seconds, 4)}


def _pooled(values: NDArray[np.floating[Any]], columns: int) -> NDArray[np.floating[Any]]:
    """``(rows, columns)``: the greatest of the values that fall together."""
    starts = np.arange(columns) * values.shape[1] // max(columns, 1)
    pooled: NDArray[np.floating[Any]] = np.maximum.reduceat(values, starts, axis=1) if columns else values
    return pooled


def _bytes(shares: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    quantised: NDArray[np.uint8] = np.round(255 * shares.clip(0, 1)).astype(np.uint8)
    return quantised


def _encoded(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode()
