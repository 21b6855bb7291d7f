"""The front end and the network joined: waveforms in, log_probs out, on any device, alone or in batches."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from asr.errors import ConfigError
from asr.features import FeatureSettings, FrontEnd
from asr.models import ModelSettings, RecurrentCTC


class TorchAcousticModel(nn.Module):
    """What a model directory holds the weights of; the recognizer's acoustic model on torch."""

    def __init__(self, features: FeatureSettings, model: ModelSettings, vocabulary_size: int):
        super().__init__()
        self.front_end = FrontEnd(features)
        self.network = RecurrentCTC(model, features.num_features, vocabulary_size)
        self.sample_rate = features.sample_rate
        self.num_static = features.num_static
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
        was_training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                # Features clip by clip: on long clips that is faster than one padded batch.
                features = [self.front_end.extract(values) for values in inputs]
                lengths = torch.tensor([len(frames) for frames in features], device=features[0].device)
                log_probs, out_lengths = self.network(pad_sequence(features, batch_first=True), lengths)
        finally:
            self.train(was_training)
        ends = out_lengths.tolist()
        return [scores[:end] for scores, end in zip(log_probs.cpu().numpy(), ends, strict=True)]


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
