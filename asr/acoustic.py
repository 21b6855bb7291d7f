"""The front end and the network joined: waveforms in, log_probs out, on any device, alone or in batches."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic_stream import AcousticStream, can_stream
from asr.errors import ConfigError
from asr.features import FeatureSettings, FrontEnd
from asr.kinds import Decoder, kind_of
from asr.models import ModelSettings, RecurrentCTC, Seq2Seq
from asr.models.speller import Spelling
from asr.windows import moments


class TorchAcousticModel(nn.Module):
    """What a model directory holds the weights of; the recognizer's acoustic model on torch."""

    def __init__(self, features: FeatureSettings, model: ModelSettings, vocabulary_size: int):
        super().__init__()
        self.front_end = FrontEnd(features)
        self.kind = kind_of(model)
        self.network = self.kind.network(model, features.num_features, vocabulary_size)
        self.vocabulary_size = vocabulary_size
        self.sample_rate = features.sample_rate
        self.num_static = features.num_static
        self.settings = model
        self.features_name = "MFCC" if features.kind == "mfcc" else "log mel energies"
        self.frame_seconds = features.hop_seconds * model.subsampling
        self.longest_seconds = model.attention.longest if self.kind.search else math.inf

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
        return [rows[:, : self.vocabulary_size] for rows in self.rows(inputs)]

    def rows(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The log_probs, and to their right what a decoder attends to, with a model of that kind."""
        return self._rows(self.front_end, inputs)

    def spelling(self, states: NDArray[np.float32]) -> Spelling:
        """One utterance ready to be written, of what stands to the right of its log_probs."""
        assert isinstance(self.network, Seq2Seq)
        return Spelling(self.network.speller, torch.from_numpy(states), self.network.ctc_weight)

    def fitting(self, decoder: Decoder) -> Decoder:
        """The decoder, or what stands for it with a model of this kind.

        Raises:
            DecoderError: it cannot decode such a model.
        """
        return self.kind.fitting(decoder)

    def fitted_to(self, waveforms: Iterable[NDArray[np.float32]]) -> "TorchAcousticModel | FittedModel":
        """The same, normalising by what all these waveforms are: a recording that will be heard in windows."""
        settings = self.front_end.settings
        if settings.cmvn != "utterance":
            return self
        with torch.inference_mode():
            whole = moments(self._unnormalized, waveforms, settings.hop_length)
            return FittedModel(self, self.front_end.fitted_to(*whole))

    def _unnormalized(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = self.front_end.extract(waveform, normalize=False).cpu().numpy()
        return features

    def _rows(self, front_end: FrontEnd, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        was_training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                # Features clip by clip: on long clips that is faster than one padded batch.
                features = [front_end.extract(values) for values in inputs]
                lengths = torch.tensor([len(frames) for frames in features], device=features[0].device)
                rows, out_lengths = self.network.rows(pad_sequence(features, batch_first=True), lengths)
        finally:
            self.train(was_training)
        ends = out_lengths.tolist()
        return [one[:end] for one, end in zip(rows.cpu().numpy(), ends, strict=True)]

    def stream(self) -> AcousticStream | None:
        """The model's ear for sound that is still going on; None where it needs the whole of it."""
        if not self.kind.frame_by_frame or not can_stream(self.front_end.settings, self.settings):
            return None
        self.eval()
        assert isinstance(self.network, RecurrentCTC)
        return AcousticStream(self.front_end, self.network, self.settings)


class FittedModel:
    """A model that normalises by one recording."""

    def __init__(self, model: TorchAcousticModel, front_end: FrontEnd):
        self.model, self.front_end = model, front_end
        self.sample_rate, self.num_static = model.sample_rate, model.num_static
        self.frame_seconds, self.longest_seconds = model.frame_seconds, model.longest_seconds
        self.spelling = model.spelling

    def log_probs(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """As the model's."""
        return [rows[:, : self.model.vocabulary_size] for rows in self.rows(inputs)]

    def rows(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """As the model's."""
        return self.model._rows(self.front_end, inputs)


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
