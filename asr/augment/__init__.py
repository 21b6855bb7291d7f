"""What makes a small corpus larger: other speeds, rooms, microphones, noises, telephones, and masked features.

Every function takes its random generator, so that a seed decides everything. Never applied to dev or test.
"""

from asr.augment.chain import augment_features, augment_waveform
from asr.augment.masks import mask_features
from asr.augment.noise import NoiseSource, alone, babble, colored_noise, silence
from asr.augment_settings import AugmentSettings

__all__ = [
    "AugmentSettings",
    "NoiseSource",
    "alone",
    "augment_features",
    "augment_waveform",
    "babble",
    "colored_noise",
    "mask_features",
    "silence",
]
