"""SpecAugment (Park et al. 2019), on features rather than waveforms."""

import torch
from torch import Tensor

from asr.augment.settings import AugmentSettings


def mask_features(features: Tensor, lengths: Tensor, settings: AugmentSettings) -> Tensor:
    """SpecAugment on ``(batch, time, feature)``: random stretches and bands become zero, the normalised mean.

    Drawn from torch's generator on the CPU, whatever the device, so that one seed gives one training.
    """
    masked = features.clone()
    for utterance, length in zip(masked, lengths.tolist(), strict=True):
        for _ in range(settings.time_masks):
            start, end = _span(length, min(settings.time_mask_frames, length // 5))
            utterance[start:end] = 0
        for _ in range(settings.feature_masks):
            start, end = _span(features.shape[2], settings.feature_mask_size)
            utterance[:, start:end] = 0
    return masked


def _span(size: int, longest: int) -> tuple[int, int]:
    width = int(torch.randint(0, longest + 1, ()))
    start = int(torch.randint(0, max(size - width, 0) + 1, ()))
    return start, start + width
