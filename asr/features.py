"""Waveforms to MFCC or log-mel frames: one batched, differentiable module that carries its lengths.

    waveform -> [pre-emphasis] -> frames -> [dither, DC, pre-emphasis] -> window -> |FFT|^2
             -> mel -> log -> [DCT] -> [deltas] -> [CMVN]

Toolkits differ in small things at each arrow; each difference is one setting, and the presets in
``conf/features/`` set them to be Kaldi, librosa or CMU Sphinx exactly.

Davis and Mermelstein 1980 (MFCC); Furui 1986 (deltas).
"""

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asr.feature_settings import FeatureSettings
from asr.filters import make_dct, make_mel_filters, make_window, mel_edges

__all__ = ["FeatureSettings", "FrontEnd"]


_BLOCK_FRAMES = 256
"""Frames transformed at a time: the working set stays in the cache (three times as fast as all at once)."""


class FrontEnd(nn.Module):
    """The same object in training, evaluation, transcription and export."""

    def __init__(self, settings: FeatureSettings):
        super().__init__()
        self.settings = settings
        self.register_buffer("window", make_window(settings), persistent=False)
        self.register_buffer("mel", make_mel_filters(settings), persistent=False)
        self.register_buffer("dct", make_dct(settings), persistent=False)
        if settings.needs_statistics:
            self.register_buffer("mean", torch.zeros(settings.num_features))
            self.register_buffer("std", torch.ones(settings.num_features))

    window: Tensor
    mel: Tensor
    dct: Tensor
    mean: Tensor
    std: Tensor

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, num_samples)`` in [-1, 1] to ``(batch, time, feature)``, both with their lengths."""
        static, frame_lengths = self.static(waveforms, lengths)
        return self.finish(static, frame_lengths), frame_lengths

    def extract(self, values: NDArray[np.float32], *, normalize: bool = True) -> Tensor:
        """``(time, feature)`` of one waveform ``(num_samples,)`` or of its static ``(num_frames, num_static)``."""
        device = self.window.device
        lengths = torch.tensor([len(values)], device=device)
        if values.ndim == 2:
            static = torch.from_numpy(values).to(device).unsqueeze(0)
        else:
            static, lengths = self.static(self.tensor(values).unsqueeze(0), lengths)
        finish = self.finish if normalize else self.with_deltas
        return finish(static, lengths)[0]

    def tensor(self, waveform: NDArray[np.float32]) -> Tensor:
        """A waveform on the device of the front end, in float64 where there is such a thing (not on Apple's MPS).

        Spectra are computed in the precision of their waveform. In float32 the quietest bands, as mp3 leaves them,
        drown in the rounding of the loudest, and every processor and runtime hears something else in them.
        """
        tensor = torch.from_numpy(waveform).to(self.window.device)
        return tensor if tensor.device.type == "mps" else tensor.double()

    def static(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What deltas and normalisation start from, ``(batch, time, num_static)``, and its lengths."""
        settings = self.settings
        frame_lengths = settings.num_frames(lengths)
        signal = self._signal(waveforms, lengths, int(frame_lengths.max()))
        # (batch, time, frame_length), a view
        frames = signal.unfold(-1, settings.frame_length, settings.hop_length)
        log_mel = self.log_mel(frames)
        if settings.log == "db":
            log_mel = _limit_range(log_mel, frame_lengths, settings.top_db)
        static = self.static_of(log_mel)
        return static * _mask(frame_lengths, static), frame_lengths

    def log_mel(self, frames: Tensor) -> Tensor:
        """Frames ``(batch, time, frame_length)`` of the scaled signal to log energies ``(batch, time, num_mels)``."""
        blocks = torch.split(frames, max(1, _BLOCK_FRAMES // len(frames)), dim=1)
        return torch.cat([self._log_mel(block) for block in blocks], dim=1)

    def static_of(self, log_mel: Tensor) -> Tensor:
        """``(batch, time, num_static)`` of log mel energies."""
        return log_mel if self.settings.kind == "log_mel" else log_mel @ self.dct

    def finish(self, static: Tensor, lengths: Tensor) -> Tensor:
        """Append deltas and normalise; where precomputed features enter. Padding comes out as zeros."""
        return self._normalize(self.with_deltas(static, lengths), lengths)

    def with_deltas(self, static: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, time, num_features)``, not yet normalised."""
        columns = [static]
        for _ in range(self.settings.delta_order):
            columns.append(_deltas(columns[-1], lengths, self.settings.delta_window))
        return torch.cat(columns, dim=-1)

    def speed_matrix(self, factor: float) -> NDArray[np.float32]:
        """What static features are multiplied by to be those of a recording played ``factor`` times as fast.

        ``(num_static, num_static)``; frames keep their number. What lies between the frequencies of the filters, or in
        the coefficients that MFCC leave out, is interpolated: an approximation (vocal tract length perturbation,
        Jaitly and Hinton 2013).
        """
        edges, _, to_hz = mel_edges(self.settings)
        centres = to_hz(edges[1:-1]).numpy()
        moved = np.stack([np.interp(centres / factor, centres, row) for row in np.eye(len(centres))])
        if self.settings.kind == "log_mel":
            return moved.astype(np.float32)
        dct = self.dct.double().cpu().numpy()
        changed: NDArray[np.float32] = (np.linalg.pinv(dct) @ moved @ dct).astype(np.float32)
        return changed

    def fitted_to(self, count: int, mean: NDArray[np.float64], variance: NDArray[np.float64]) -> "FrontEnd":
        """One that normalises by the moments of a long utterance, where this one would by those of each window."""
        middle, spread = (torch.from_numpy(value).to(self.window) for value in (mean, variance))
        if self.settings.cmvn_prior:
            middle, spread = self._with_prior(middle, spread, count)
        fitted = FrontEnd(replace(self.settings, cmvn="stored", cmvn_prior=0.0)).to(self.window.device)
        fitted.mean.copy_(middle)
        fitted.std.copy_(spread.clamp(min=1e-6).sqrt())
        return fitted.eval()

    def _signal(self, waveforms: Tensor, lengths: Tensor, num_frames: int) -> Tensor:
        """Scaled, emphasised and padded so that exactly ``num_frames`` frames fit."""
        settings = self.settings
        if int(lengths.min()) < waveforms.shape[1]:  # filling takes a seventh of the time
            waveforms = waveforms.masked_fill(~_inside(lengths, waveforms), 0.0)
        signal = waveforms * settings.scale
        if settings.edges == "center":
            half = settings.fft_length // 2
            needed = (num_frames - 1) * settings.hop_length + settings.fft_length
            signal = nn.functional.pad(signal, (half, max(0, needed - half - signal.shape[-1])))
        else:
            needed = (num_frames - 1) * settings.hop_length + settings.window_length
            signal = nn.functional.pad(signal, (0, max(0, needed - signal.shape[-1])))
        signal = signal[..., :needed]
        if settings.preemphasis and settings.preemphasis_over == "signal":
            previous = nn.functional.pad(signal[..., :-1], (1, 0))
            signal = signal - settings.preemphasis * previous
        return signal

    def _log_mel(self, frames: Tensor) -> Tensor:
        """Frames ``(batch, time, frame_length)`` to log mel energies ``(batch, time, num_mels)``."""
        settings = self.settings
        if self.training and settings.dither:
            frames = frames + settings.dither * torch.randn_like(frames)
        if settings.remove_dc:
            frames = frames - frames.mean(dim=-1, keepdim=True)
        if settings.preemphasis and settings.preemphasis_over == "frame":
            # The first sample stands for the one before it, as in Kaldi.
            first = frames[..., :1] * (1 - settings.preemphasis)
            rest = torch.sub(frames[..., 1:], frames[..., :-1], alpha=settings.preemphasis)
            frames = torch.cat([first, rest], dim=-1)
        spectrum = torch.fft.rfft(frames * self.window, n=settings.fft_length).to(self.mel.dtype.to_complex())
        power = spectrum.real.square() + spectrum.imag.square()
        energies: Tensor = (power @ self.mel).clamp(min=settings.log_floor)
        return energies.log10() * 10.0 if settings.log == "db" else energies.log()

    def _normalize(self, features: Tensor, lengths: Tensor) -> Tensor:
        mask = _mask(lengths, features)
        if self.settings.cmvn == "stored":
            features = (features - self.mean) / self.std
        elif self.settings.cmvn == "utterance":
            mean, variance = self._utterance_statistics(features, lengths, mask)
            # One frame, or digital silence, has no variance: it becomes zeros, not blown-up rounding errors.
            features = (features - mean) / variance.clamp(min=1e-6).sqrt()
        return features * mask

    def _utterance_statistics(self, features: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each utterance, as if ``cmvn_prior`` average frames had been heard before it."""
        count, prior = lengths.view(-1, 1, 1), self.settings.cmvn_prior
        mean = (features * mask).sum(dim=1, keepdim=True) / count
        variance = ((features - mean).square() * mask).sum(dim=1, keepdim=True) / count
        if not prior:
            return mean, variance
        return self._with_prior(mean, variance, count)

    def _with_prior(self, mean: Tensor, variance: Tensor, count: Tensor | int) -> tuple[Tensor, Tensor]:
        prior = self.settings.cmvn_prior
        own = count / (count + prior)
        mixed = own * mean + (1 - own) * self.mean
        # Within both parts, and between their means.
        within = own * variance + (1 - own) * self.std.square()
        return mixed, within + own * (1 - own) * (mean - self.mean).square()


def _inside(lengths: Tensor, like: Tensor) -> Tensor:
    """``(batch, time)``: whether a position of ``like`` lies inside its own length."""
    return torch.arange(like.shape[1], device=like.device) < lengths.unsqueeze(1)


def _mask(lengths: Tensor, like: Tensor) -> Tensor:
    """``(batch, time, 1)``: one inside each length, zero in the padding."""
    return _inside(lengths, like).unsqueeze(-1).to(like.dtype)


def _limit_range(log_mel: Tensor, lengths: Tensor, top_db: float) -> Tensor:
    """Nothing lies more than ``top_db`` below the loudest value of its own utterance."""
    padding = _mask(lengths, log_mel) == 0
    loudest = log_mel.masked_fill(padding, -math.inf).amax(dim=(1, 2), keepdim=True)
    return torch.maximum(log_mel, loudest - top_db)


def _deltas(features: Tensor, lengths: Tensor, window: int) -> Tensor:
    """Regression over ``window`` frames on each side; beyond its ends an utterance repeats its edges."""
    positions = torch.arange(features.shape[1], device=features.device)
    last = (lengths - 1).unsqueeze(1)
    result = torch.zeros_like(features)
    for step in range(1, window + 1):
        ahead = (positions + step).minimum(last).clamp(min=0)  # (batch, time)
        behind = (positions - step).clamp(min=0).minimum(last)
        result = result + step * (_take(features, ahead) - _take(features, behind))
    return result / (2 * sum(step * step for step in range(1, window + 1)))


def _take(features: Tensor, positions: Tensor) -> Tensor:
    return features.gather(1, positions.unsqueeze(-1).expand(-1, -1, features.shape[-1]))
