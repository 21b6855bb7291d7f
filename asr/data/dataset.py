"""One utterance to features and targets, augmented as the seed, the epoch and its place decide."""

import logging
import os
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from asr.augment import (
    AugmentSettings,
    alone,
    augment_features,
    augment_waveform,
    babble,
    colored_noise,
    silence,
)
from asr.data.batches import Example
from asr.data.feature_cache import FeatureCache
from asr.data.noise_folder import NoiseFolder
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.manifest import Utterance
from asr.text import TextSettings, Vocabulary

_log = logging.getLogger(__name__)
_NOISE_ALONE = (-90.0, -20.0)
"""dB of full scale."""
_ZEROS = 0.25
"""Share of what is noise alone that is zeros: normalised by themselves, they look like no noise at all."""
_SPEECHLESS = 1
"""The stream of random numbers that decides it."""


class SpeechDataset(Dataset[Example]):
    """A manifest as features and targets; ``epoch`` and the seed decide every random choice, whoever asks.

    ``feature_cache`` is a folder; it is left aside, with a warning, when features differ in every epoch.

    Raises:
        ConfigError: the folder of noises is missing or empty, or that of the cache cannot be made.
        AudioError: one of the noises is no audio.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        front_end: FrontEnd,
        vocabulary: Vocabulary,
        text: TextSettings,
        *,
        augment: AugmentSettings = AugmentSettings(),
        seed: int = 1,
        cache_audio: bool = False,
        feature_cache: str | os.PathLike[str] | None = None,
    ):
        self.utterances = utterances
        self.front_end = front_end
        self.augment = augment
        self.seed = seed
        self.epoch = 0
        self.vocabulary = vocabulary
        self.text = text
        self._voices = [i for i, u in enumerate(utterances) if u.features_filepath is None]
        rate = front_end.settings.sample_rate
        self._noise = NoiseFolder(augment.noise_dir, rate) if augment.noise_dir else colored_noise
        self._memory: dict[int, NDArray[np.float32]] | None = {} if cache_audio else None
        self._disk = None if feature_cache is None else self._feature_cache(feature_cache)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Example:
        """The utterance at ``index``, augmented as this epoch decides.

        Raises:
            AudioError: its audio cannot be read.
        """
        # Encoded here: kept for all, targets would take three times the memory of their texts and times.
        text = "" if self._is_speechless(index) else self.utterances[index].text
        labels = self.vocabulary.encode(text, self.text)
        return Example(self._features(index), torch.tensor(labels, dtype=torch.long), index)

    def statistics(self, most: int = 500) -> tuple[Tensor, Tensor]:
        """Mean and deviation ``(feature,)`` before normalisation, over up to ``most`` utterances."""
        step = max(1, len(self) // most)
        frames = torch.cat([self._features(index, normalize=False) for index in range(0, len(self), step)])
        return frames.mean(dim=0), frames.std(dim=0).clamp(min=1e-5)

    def _features(self, index: int, *, normalize: bool = True) -> Tensor:
        values = self._load(index)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        if self.augment.changes_waveforms:
            values = self._augmented(values, index, rng)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            # Dither draws from torch's own generator.
            torch.default_generator.manual_seed(int(rng.integers(2**63)))
            return self.front_end.extract(values, normalize=normalize)

    def _augmented(
        self, values: NDArray[np.float32], index: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        rate = self.front_end.settings.sample_rate
        if self._is_speechless(index):
            # Where features are stored, the front end makes those of the noise.
            seconds = self.utterances[index].duration
            num_samples = len(values) if values.ndim == 1 else max(1, round(seconds * rate))
            values = self._nobody(num_samples, rng)
        if values.ndim > 1:
            return augment_features(values, self.augment, rng, self.front_end.speed_matrix)
        return augment_waveform(
            values,
            rate,
            self.augment,
            rng,
            noise=self._noise,
            babble=partial(self._babble, index),
        )

    def _nobody(self, num_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
        if rng.random() < _ZEROS:
            return silence(num_samples, rng)
        return alone(self._noise(num_samples, rng), rng.uniform(*_NOISE_ALONE))

    def _is_speechless(self, index: int) -> bool:
        """Drawn by itself, since what is heard and what is to be written both hang on it."""
        share = self.augment.speechless_probability
        return bool(share) and bool(
            np.random.default_rng([self.seed, self.epoch, index, _SPEECHLESS]).random() < share
        )

    def _babble(self, index: int, num_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Other utterances than the one at ``index``; one is drawn too many, in case it is among them."""
        wanted = self.augment.babble_voices
        drawn = rng.choice(self._voices, min(wanted + 1, len(self._voices)), replace=False).tolist()
        voices = [self._load(other) for other in drawn if other != index][:wanted]
        return babble(voices, num_samples, rng)

    def _load(self, index: int) -> NDArray[np.float32]:
        """Its waveform, or its static features where those are stored."""
        if self._memory is not None and index in self._memory:
            return self._memory[index]
        utterance = self.utterances[index]
        values = self._read(utterance)
        # What lies in tar files may be more than any memory holds.
        if self._memory is not None and utterance.member is None:
            self._memory[index] = values
        return values

    def _read(self, utterance: Utterance) -> NDArray[np.float32]:
        if self._disk is not None and utterance.features_filepath is None:
            return self._disk.static(utterance)
        settings = self.front_end.settings
        return load_input(utterance, settings.sample_rate, settings.num_static)

    def _feature_cache(self, folder: str | os.PathLike[str]) -> FeatureCache | None:
        if reason := self._why_features_change():
            _log.warning("data.feature_cache is not used: %s, so features differ in every epoch.", reason)
            return None
        return FeatureCache(folder, self.front_end)

    def _why_features_change(self) -> str:
        """Empty when an utterance has the same static features in every epoch."""
        if self.augment.changes_waveforms:
            return "augmentation changes the waveforms"
        return "features.dither is random" if self.front_end.settings.dither else ""
