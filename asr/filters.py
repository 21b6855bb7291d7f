"""The fixed matrices of the front end: windows, mel filters, the cosine transform."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from asr.feature_settings import FeatureSettings

Scale = Callable[[Tensor], Tensor]


def make_window(settings: FeatureSettings) -> Tensor:
    """``(window_length,)``, or ``(fft_length,)`` where frames are centred."""
    length = settings.window_length
    kind = settings.window
    if kind == "hamming":
        window = torch.hamming_window(length, periodic=False, dtype=torch.float64)
    else:
        window = torch.hann_window(length, periodic=kind == "hann_periodic", dtype=torch.float64)
    if kind == "povey":
        window = window**0.85
    if settings.edges == "center":
        left = (settings.fft_length - length) // 2
        window = nn.functional.pad(window, (left, settings.fft_length - length - left))
    return window.float()


def make_mel_filters(settings: FeatureSettings) -> Tensor:
    """``(fft_length // 2 + 1, num_mels)``: triangles from the centre of one neighbour to the other's."""
    bins = torch.linspace(0, settings.sample_rate / 2, settings.fft_length // 2 + 1, dtype=torch.float64)
    edges, to_mel, to_hz = mel_edges(settings)
    if settings.mel_filters == "mel":
        bins = to_mel(bins)
    else:
        edges = to_hz(edges)
    if settings.mel_filters == "bins":
        width = settings.sample_rate / settings.fft_length
        edges = (edges / width + 0.5).floor() * width
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins.unsqueeze(1) - left) / (centre - left)
    falling = (right - bins.unsqueeze(1)) / (right - centre)
    filters = torch.minimum(rising, falling).clamp(min=0)
    if settings.mel_area:
        filters = filters * 2 / (right - left)
    if settings.mel_filters == "mel":
        filters[-1] = 0  # Kaldi leaves the Nyquist bin out
    return filters.nan_to_num(0.0).float()


def mel_edges(settings: FeatureSettings) -> tuple[Tensor, Scale, Scale]:
    """In mel ``(num_mels + 2,)``, each filter's centre between its neighbours'; and the ways to mel and back to Hz."""
    to_mel, to_hz = (_slaney_mel, _slaney_hz) if settings.mel_scale == "slaney" else (_htk_mel, _htk_hz)
    ends = to_mel(torch.tensor([settings.f_min, settings.highest_frequency], dtype=torch.float64))
    edges = torch.linspace(float(ends[0]), float(ends[1]), settings.num_mels + 2, dtype=torch.float64)
    return edges, to_mel, to_hz


def _htk_mel(hz: Tensor) -> Tensor:
    return 2595 * torch.log10(1 + hz / 700)


def _htk_hz(mel: Tensor) -> Tensor:
    return 700 * (10 ** (mel / 2595) - 1)


# Slaney 1998, Auditory Toolbox: 200/3 Hz a mel up to 1 kHz, then 27 mels for a factor of 6.4.
def _slaney_mel(hz: Tensor) -> Tensor:
    return torch.where(hz < 1000, hz * 3 / 200, 15 + 27 * torch.log(hz.clamp(min=1) / 1000) / math.log(6.4))


def _slaney_hz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, mel * 200 / 3, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))


def make_dct(settings: FeatureSettings) -> Tensor:
    """``(num_mels, num_coefficients)``: DCT-II with its scaling and lifter folded in."""
    count = settings.num_mels
    n = torch.arange(count, dtype=torch.float64).unsqueeze(1) + 0.5
    k = torch.arange(settings.num_coefficients if settings.kind == "mfcc" else 1, dtype=torch.float64)
    matrix = torch.cos(math.pi / count * n * k)
    if settings.dct == "sphinx":
        matrix[0] *= 0.5
        matrix = matrix / count
    else:
        matrix = matrix * math.sqrt(2 / count)
        matrix[:, 0] = math.sqrt(1 / count)
    if settings.lifter:
        matrix = matrix * (1 + settings.lifter / 2 * torch.sin(math.pi * k / settings.lifter))
    return matrix.float()
