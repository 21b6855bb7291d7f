"""SpecAugment (Park et al. 2019), on features rather than waveforms."""

import torch
from torch import Tensor

from asr.augment_settings import AugmentSettings


def mask_features(
    features: Tensor, lengths: Tensor, settings: AugmentSettings, rank: int = 0, world_size: int = 1
) -> Tensor:
    """SpecAugment on ``(batch, time, feature)``: random stretches and bands become zero, the normalised mean.

    Drawn from torch's generator on the CPU, whatever the device, so that one seed gives one training. Where the batch
    is every ``world_size``-th utterance of a larger one, from ``rank`` on, each is masked as it would be there.
    """
    masked = features.clone()
    ends = lengths.tolist()
    for place in range(len(ends) * world_size):
        own, owner = divmod(place, world_size)
        # What falls to others is drawn too, and masks nothing here.
        length = ends[own] if owner == rank else 0
        utterance = masked[own, :length]
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
