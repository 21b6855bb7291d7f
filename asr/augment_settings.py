"""How far, and in how many of the utterances, training changes what it hears."""

import dataclasses
from dataclasses import dataclass

from asr.errors import ConfigError


@dataclass(frozen=True)
class AugmentSettings:
    """Off by default; ``conf/augment/`` has the usual choices, ``docs/augmentation.md`` the pictures."""

    speed_min: float = 1.0
    """Slowest playback; speech becomes lower and longer (Ko et al. 2015)."""
    speed_max: float = 1.0
    gain_min: float = 0.0
    """dB."""
    gain_max: float = 0.0
    noise_probability: float = 0.0
    """Share of the utterances that get noise."""
    noise_dir: str | None = None
    """Folder of recordings that the noise is taken from; null generates it, from white to brown."""
    babble_probability: float = 0.0
    """Share of the utterances that have other utterances of the training set talking behind them."""
    babble_voices: int = 5
    """How many talk at once."""
    snr_min: float = 10.0
    """dB of speech over noise, and over babble."""
    snr_max: float = 40.0
    speechless_probability: float = 0.0
    """Share of the utterances that become noise alone, in which there is nothing to write."""
    band_probability: float = 0.0
    """Share of the utterances that sound as through another microphone: a random gentle filter."""
    reverb_probability: float = 0.0
    """Share of the utterances that sound as in a room."""
    reverb_max: float = 0.5
    """Seconds in which the room's echo falls by 60 dB, at most."""
    telephone_probability: float = 0.0
    """Share of the utterances that are left with a telephone's 300-3400 Hz."""
    mulaw_probability: float = 0.0
    """Share of the utterances that go through the 8 bits of a landline (G.711 mu-law at 8 kHz)."""
    gsm_probability: float = 0.0
    """Share of the utterances that go through the 13 kbit/s of an old mobile phone (GSM 06.10 at 8 kHz)."""
    mp3_probability: float = 0.0
    """Share of the utterances that are stored as mp3, at 8 to 64 kbit/s of 16 kHz."""
    time_masks: int = 0
    """SpecAugment (Park et al. 2019): stretches of frames set to zero."""
    time_mask_frames: int = 20
    """The longest stretch; never more than a fifth of the utterance each."""
    feature_masks: int = 0
    """Bands of features set to zero."""
    feature_mask_size: int = 8

    def __post_init__(self) -> None:
        if not 0.5 <= self.speed_min <= self.speed_max <= 2.0:
            raise ConfigError("augment: 0.5 <= speed_min <= speed_max <= 2 must hold.")
        if self.gain_min > self.gain_max or self.snr_min > self.snr_max:
            raise ConfigError("augment: gain_min <= gain_max and snr_min <= snr_max must hold.")
        for name, share in self._probabilities().items():
            if not 0 <= share <= 1:
                raise ConfigError(f"augment.{name}={share:g} must lie in [0, 1].")
        if not 0.05 <= self.reverb_max <= 10:
            raise ConfigError(f"augment.reverb_max={self.reverb_max:g} must lie between 0.05 and 10 seconds.")
        if self.babble_voices < 1:
            raise ConfigError("augment.babble_voices must be at least 1.")
        if self.noise_dir is not None and not self.noise_probability:
            raise ConfigError(
                "augment.noise_dir is given, but no utterance gets noise: set noise_probability."
            )
        if min(self.time_masks, self.time_mask_frames, self.feature_masks, self.feature_mask_size) < 0:
            raise ConfigError("augment: the masks' numbers and sizes must not be negative.")

    @property
    def changes_waveforms(self) -> bool:
        """Whether features must be computed anew in every epoch."""
        return (
            (self.speed_min, self.speed_max) != (1.0, 1.0)
            or (self.gain_min, self.gain_max) != (0.0, 0.0)
            or max(self._probabilities().values()) > 0
        )

    def _probabilities(self) -> dict[str, float]:
        names = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in names if name.endswith("_probability")}
