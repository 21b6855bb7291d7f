"""The front end and the network joined: waveforms in, log_probs out, on any device, alone or in batches."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic_stream import AcousticStream, can_stream
from asr.errors import ConfigError
from asr.features import FeatureSettings, FrontEnd
from asr.models import ModelSettings, RecurrentCTC, make_network
from asr.windows import overlapping

_FITTED_SECONDS = 60
"""Of which features are computed at a time for their statistics."""


class TorchAcousticModel(nn.Module):
    """What a model directory holds the weights of; the recognizer's acoustic model on torch."""

    def __init__(self, features: FeatureSettings, model: ModelSettings, vocabulary_size: int):
        super().__init__()
        self.front_end = FrontEnd(features)
        self.network = make_network(model, features.num_features, vocabulary_size)
        self.sample_rate = features.sample_rate
        self.num_static = features.num_static
        self.settings = model
        self.features_name = "MFCC" if features.kind == "mfcc" else "log mel energies"
        self.frame_seconds = features.hop_seconds * model.subsampling

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms ``(batch, num_samples)`` to log_probs ``(batch, time, vocab)``, with their lengths."""
        features, frame_lengths = self.front_end(waveforms, lengths)
        result: tuple[Tensor, Tensor] = self.network(features, frame_lengths)
        return result

    def features(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The static features ``(num_frames, num_static)`` of one input, normalised: what the network gets."""
        with torch.inference_mode():
            features: NDArray[np.float32] = self.front_end.extract(values)[:, : self.num_static].cpu().numpy()
        return features

    def log_probs(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """``(time, vocab)`` of each waveform ``(num_samples,)`` or features ``(num_frames, num_static)``."""
        return self._log_probs(self.front_end, inputs)

    def fitted_to(self, waveforms: Iterable[NDArray[np.float32]]) -> "FittedModel":
        """The same, normalising by what all these waveforms are: a recording that will be heard in windows."""
        with torch.inference_mode():
            blocks = overlapping(
                waveforms, _FITTED_SECONDS * self.sample_rate, _FITTED_SECONDS * self.sample_rate
            )
            return FittedModel(self, self.front_end.fitted_to(blocks))

    def _log_probs(
        self, front_end: FrontEnd, inputs: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        was_training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                # Features clip by clip: on long clips that is faster than one padded batch.
                features = [front_end.extract(values) for values in inputs]
                lengths = torch.tensor([len(frames) for frames in features], device=features[0].device)
                log_probs, out_lengths = self.network(pad_sequence(features, batch_first=True), lengths)
        finally:
            self.train(was_training)
        ends = out_lengths.tolist()
        return [scores[:end] for scores, end in zip(log_probs.cpu().numpy(), ends, strict=True)]

    def stream(self) -> AcousticStream | None:
        """The model's ear for sound that is still going on; None where it needs the whole of it."""
        if not (
            can_stream(self.front_end.settings, self.settings) and isinstance(self.network, RecurrentCTC)
        ):
            return None
        self.eval()
        return AcousticStream(self.front_end, self.network, self.settings)


class FittedModel:
    """A model that normalises by one recording."""

    def __init__(self, model: TorchAcousticModel, front_end: FrontEnd):
        self.model, self.front_end = model, front_end
        self.sample_rate, self.num_static = model.sample_rate, model.num_static
        self.frame_seconds = model.frame_seconds

    def log_probs(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """As the model's."""
        return self.model._log_probs(self.front_end, inputs)


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; auto takes CUDA, then Apple's MPS, then the processor.

    Raises:
        ConfigError: this machine has no such device.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, found in present.items() if found))
    if not present.get(name.partition(":")[0]):
        there = ", ".join(kind for kind, found in present.items() if found)
        raise ConfigError(f"device {name!r}: this machine has no such device; there is {there}.")
    return torch.device(name)
