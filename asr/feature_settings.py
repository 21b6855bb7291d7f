"""What a front end computes, apart from the computing: known without torch, as exported models need it."""

from dataclasses import dataclass
from typing import Any

from asr.errors import ConfigError


@dataclass(frozen=True)
class FeatureSettings:
    """The front end of a model; the defaults are Kaldi's MFCC with 40 filters."""

    sample_rate: int = 16000
    """Hz; audio of another rate is resampled to it."""
    kind: str = "mfcc"
    """mfcc or log_mel."""
    scale: float = 32768.0
    """Samples in [-1, 1] are multiplied by it (Kaldi and Sphinx count in 16-bit steps); it moves C0 only."""
    window_length: int = 400
    """Samples; 25 ms at 16 kHz."""
    hop_length: int = 160
    """Samples; 10 ms at 16 kHz."""
    fft_length: int = 512
    window: str = "povey"
    """povey (Kaldi), hamming, hann, or hann_periodic (librosa)."""
    edges: str = "snip"
    """snip: whole windows only (Kaldi); pad: a last partial one, zero-filled (Sphinx); center (librosa)."""
    remove_dc: bool = True
    """Subtract the mean of each frame."""
    preemphasis: float = 0.97
    preemphasis_over: str = "frame"
    """frame (Kaldi) or signal (Sphinx)."""
    dither: float = 0.0
    """Standard deviation of noise added to the scaled samples, in training only."""
    num_mels: int = 40
    f_min: float = 20.0
    """Hz."""
    f_max: float | None = None
    """Hz; null is half the sample rate."""
    mel_scale: str = "htk"
    """htk: 2595 log10(1 + f/700), Kaldi's too; slaney: linear below 1 kHz (librosa)."""
    mel_filters: str = "mel"
    """Where the triangles are straight: mel (Kaldi), hz (librosa), bins (hz, edges on FFT bins: Sphinx)."""
    mel_area: bool = False
    """Scale each filter to unit area in Hz."""
    log: str = "natural"
    """natural, or db: 10 log10, with top_db below the utterance's maximum as the floor (librosa)."""
    log_floor: float = 1.1920929e-07
    top_db: float = 80.0
    num_coefficients: int = 13
    """Cepstra kept, C0 among them; unused by log_mel."""
    dct: str = "orthonormal"
    """orthonormal (Kaldi, librosa), or sphinx: halved first term, divided by num_mels."""
    lifter: float = 22.0
    """Kaldi's cepstral lifter; 0 is none."""
    delta_order: int = 0
    """0, 1 or 2: differences appended to the static coefficients."""
    delta_window: int = 2
    """Frames on each side of the regression."""
    cmvn: str = "none"
    """none; utterance: zero mean, unit variance over each; stored: by statistics of the training set."""
    cmvn_prior: float = 0.0
    """Frames of the training set that each utterance's own statistics are mixed with; for short utterances."""

    def __post_init__(self) -> None:
        for key, allowed in _ALLOWED.items():
            if getattr(self, key) not in allowed:
                choices = ", ".join(map(str, allowed))
                raise ConfigError(f"features.{key}={getattr(self, key)!r} is not one of {choices}.")
        for key, least in _LEAST.items():
            if not getattr(self, key) >= least:
                raise ConfigError(f"features.{key}={getattr(self, key)!r} must be at least {least:g}.")
        for key, most in _MOST.items():
            if getattr(self, key) > most:
                raise ConfigError(f"features.{key}={getattr(self, key)!r} must be at most {most}.")
        if not self.hop_length <= self.window_length <= self.fft_length or self.fft_length % 2:
            raise ConfigError("features: hop_length <= window_length <= fft_length must hold, the last even.")
        if self.kind == "mfcc" and not 0 < self.num_coefficients <= self.num_mels:
            raise ConfigError("features.num_coefficients must lie between 1 and num_mels.")
        if not 0 <= self.f_min < self.highest_frequency <= self.sample_rate / 2:
            raise ConfigError("features: 0 <= f_min < f_max <= sample_rate / 2 must hold.")

    @property
    def highest_frequency(self) -> float:
        """Hz: ``f_max``, or half the sample rate."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def frame_length(self) -> int:
        """Samples that a frame is made of, zeros around a centred window included."""
        return self.fft_length if self.edges == "center" else self.window_length

    @property
    def whole_utterance(self) -> str:
        """The setting that needs the whole utterance before its first frame; empty where there is none."""
        return next((f"features.{key}={value}" for key, value in _WHOLE if getattr(self, key) == value), "")

    @property
    def streamable_instead(self) -> str:
        """What to set in its place."""
        return "features.cmvn=stored" if self.cmvn == "utterance" else "features.log=natural"

    @property
    def needs_statistics(self) -> bool:
        """Whether the training set's mean and deviation are part of the model."""
        return self.cmvn == "stored" or (self.cmvn == "utterance" and self.cmvn_prior > 0)

    @property
    def num_static(self) -> int:
        """Columns before the deltas."""
        return self.num_mels if self.kind == "log_mel" else self.num_coefficients

    @property
    def num_features(self) -> int:
        """Columns that the acoustic model sees."""
        return self.num_static * (1 + self.delta_order)

    @property
    def hop_seconds(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate

    def num_frames(self, num_samples: Any) -> Any:
        """Frames of so many samples (an int or an integer tensor); never less than one."""
        if self.edges == "center":
            return 1 + num_samples // self.hop_length
        beyond_first = num_samples - self.window_length
        if self.edges == "pad":
            beyond_first = beyond_first + self.hop_length - 1
        beyond_first = max(beyond_first, 0) if isinstance(num_samples, int) else beyond_first.clip(0)
        return 1 + beyond_first // self.hop_length


_ALLOWED: dict[str, tuple[Any, ...]] = {
    "kind": ("mfcc", "log_mel"),
    "window": ("povey", "hamming", "hann", "hann_periodic"),
    "edges": ("snip", "pad", "center"),
    "preemphasis_over": ("frame", "signal"),
    "mel_scale": ("htk", "slaney"),
    "mel_filters": ("mel", "hz", "bins"),
    "log": ("natural", "db"),
    "dct": ("orthonormal", "sphinx"),
    "delta_order": (0, 1, 2),
    "cmvn": ("none", "utterance", "stored"),
}

_WHOLE = (("cmvn", "utterance"), ("log", "db"))

_LEAST: dict[str, float] = {
    **dict.fromkeys(("sample_rate", "hop_length", "num_mels", "num_coefficients", "delta_window"), 1),
    **dict.fromkeys(("preemphasis", "dither", "top_db", "lifter", "cmvn_prior"), 0),
    **dict.fromkeys(("scale", "log_floor"), 1e-30),
}

_MOST = {"sample_rate": 1_000_000, "fft_length": 1 << 16, "num_mels": 1024, "delta_window": 1024}
"""Beyond it a file is damaged, and its tables would take all memory."""
