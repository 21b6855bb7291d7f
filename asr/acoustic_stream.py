"""A one-directional model run as the sound comes: any chunks give in the end what the whole waveform would have given.

Each part keeps what its next outputs need: the front end the samples of unfinished frames, deltas and convolutions
the frames within their reach, the recurrent layers their state, the row convolution the frames that it waits for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asr.features import FeatureSettings, FrontEnd
from asr.models import ModelSettings, RecurrentCTC
from asr.models.subsampling import reach


@dataclass(frozen=True)
class Latency:
    """Seconds of sound from the beginning of a row of log_probs on without which it cannot be computed, by cause."""

    window: float
    """Of the Fourier transform."""
    deltas: float
    subsampling: float
    """What its convolutions hear to the right."""
    lookahead: float

    @property
    def seconds(self) -> float:
        """All together."""
        return self.window + self.deltas + self.subsampling + self.lookahead


def can_stream(features: FeatureSettings, model: ModelSettings) -> bool:
    """Whether no part needs the end of an utterance to compute its beginning."""
    return not model.bidirectional and not features.whole_utterance


def latency(features: FeatureSettings, model: ModelSettings) -> Latency:
    """The algorithmic latency of a model that can stream; what computing takes, and the chunks, come on top."""
    hop = features.hop_seconds
    before = features.fft_length // 2 if features.edges == "center" else 0
    return Latency(
        window=(features.frame_length - before) / features.sample_rate,
        deltas=_delta_reach(features) * hop,
        subsampling=reach(model.subsampling, model.kernel_size) * hop,
        lookahead=model.lookahead * model.subsampling * hop,
    )


class AcousticStream:
    """The log_probs of one stream; ``accept`` gives each row as soon as its sound is there."""

    def __init__(self, front_end: FrontEnd, network: RecurrentCTC, model: ModelSettings):
        features = front_end.settings
        self.latency = latency(features, model).seconds
        self._tensor = front_end.tensor
        self._frames = _Frames(front_end)
        around, beside = _delta_reach(features), reach(model.subsampling, model.kernel_size)
        self._features = _Sliding(front_end.finish, around, around)
        self._subsampled = _Sliding(_first(network.subsampling), beside, beside, model.subsampling)
        self._blocks: list[Any] = list(network.blocks)
        self._states: list[Any] = [None] * len(self._blocks)
        self._log_probs = _Sliding(network.conclude, 0, model.lookahead)
        head: Any = network.head[-1]
        self._num_symbols: int = head.out_features

    def accept(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The rows ``(time, vocab)`` that samples ``(num_samples,)`` at the model's rate complete."""
        return self._advance(samples, False)

    def finish(self) -> NDArray[np.float32]:
        """The rows that waited for more."""
        return self._advance(np.zeros(0, np.float32), True)

    @torch.inference_mode()
    def _advance(self, samples: NDArray[np.float32], last: bool) -> NDArray[np.float32]:
        frames = self._frames.advance(self._tensor(samples), last)
        hidden = self._subsampled.advance(self._features.advance(frames, last), last)
        if hidden is not None:
            for place, block in enumerate(self._blocks):
                hidden, self._states[place] = block.resume(hidden, self._states[place])
        log_probs = self._log_probs.advance(hidden, last)
        if log_probs is None:
            return np.zeros((0, self._num_symbols), np.float32)
        rows: NDArray[np.float32] = log_probs[0].cpu().numpy()
        return rows


class _Frames:
    """Samples to static features, as ``FrontEnd.static`` gives them."""

    def __init__(self, front_end: FrontEnd):
        self._front_end, self._settings = front_end, front_end.settings
        before = self._settings.fft_length // 2 if self._settings.edges == "center" else 0
        self._signal = torch.zeros(before, device=front_end.window.device)
        """What frames to come still need."""
        self._previous = torch.zeros(1, device=front_end.window.device)
        self._num_samples = self._num_frames = 0

    def advance(self, samples: Tensor, last: bool) -> Tensor | None:
        """``(1, time, num_static)``, or None where no frame is complete."""
        settings = self._settings
        self._num_samples += len(samples)
        self._signal = torch.cat([self._signal, self._emphasized(samples * settings.scale)])
        count = (len(self._signal) - settings.frame_length) // settings.hop_length + 1
        if last and self._num_samples:
            count = settings.num_frames(self._num_samples) - self._num_frames
            needed = (count - 1) * settings.hop_length + settings.frame_length
            silence = self._signal.new_zeros(max(0, needed - len(self._signal)))
            self._signal = torch.cat([self._signal, self._emphasized(silence)])
        if count <= 0:
            return None
        frames = self._signal.unfold(0, settings.frame_length, settings.hop_length)[:count]
        self._signal = self._signal[count * settings.hop_length :]
        self._num_frames += count
        return self._front_end.static_of(self._front_end.log_mel(frames.unsqueeze(0)))

    def _emphasized(self, signal: Tensor) -> Tensor:
        if self._settings.preemphasis_over != "signal" or not len(signal):
            return signal
        previous = torch.cat([self._previous, signal[:-1]])
        self._previous = signal[-1:]
        return signal - self._settings.preemphasis * previous


class _Sliding:
    """A part of limited reach: ``function(inputs (1, time, width), lengths)`` over a window that moves on.

    The window begins at a multiple of ``stride``, ``before`` inputs or more ahead of the next output's own; what
    the function makes up beyond the window's edges reaches no output that is given away, but at the true edges.
    """

    def __init__(
        self, function: Callable[[Tensor, Tensor], Tensor], before: int, after: int, stride: int = 1
    ):
        self._function, self._before, self._after, self._stride = function, before, after, stride
        self._window: Tensor | None = None
        self._start = self._num_inputs = self._num_outputs = 0

    def advance(self, inputs: Tensor | None, last: bool) -> Tensor | None:
        """``(1, time, width)`` to the outputs that are sure now, or None."""
        if inputs is not None:
            self._window = inputs if self._window is None else torch.cat([self._window, inputs], dim=1)
            self._num_inputs += inputs.shape[1]
        sure = (
            self._num_inputs + self._stride - 1 if last else self._num_inputs - self._after + self._stride - 1
        )
        total = sure // self._stride
        if self._window is None or total <= self._num_outputs:
            return None
        lengths = torch.tensor([self._window.shape[1]], device=self._window.device)
        first = self._start // self._stride
        outputs = self._function(self._window, lengths)[:, self._num_outputs - first : total - first]
        self._num_outputs = total
        start = max(0, (total * self._stride - self._before) // self._stride * self._stride)
        self._window = self._window[:, start - self._start :]
        self._start = start
        return outputs


def _first(function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | nn.Module) -> Callable[..., Tensor]:
    def first(inputs: Tensor, lengths: Tensor) -> Tensor:
        output: Tensor = function(inputs, lengths)[0]
        return output

    return first


def _delta_reach(features: FeatureSettings) -> int:
    return features.delta_order * features.delta_window
