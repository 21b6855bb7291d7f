"""How a model is trained: epochs, rates, precision, memory; of Lightning's loop no more than a recipe needs to say."""

from dataclasses import dataclass

from asr.errors import ConfigError


@dataclass(frozen=True)
class TrainerSettings:
    """How the weights move, and when it ends."""

    max_epochs: int = 40
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup_epochs: float = 2.0
    """Epochs of linear warm-up."""
    schedule: str = "cosine"
    """After the warm-up: cosine (to zero at max_epochs), noam (falling as 1/sqrt(step), Vaswani et al. 2017),
    plateau (halved when dev WER stalls) or constant."""
    plateau_patience: int = 3
    """Epochs without a better dev WER before plateau halves the rate."""
    accumulate: int = 1
    """Batches a step: their gradient is that of one large batch, in the memory of a small one."""
    clip_norm: float = 5.0
    """Gradient norm above which it is scaled down; 0 leaves it as it is."""
    label_smoothing: float = 0.0
    """Share of the loss that pulls each frame towards uniform scores (Kim et al. 2018): less overconfident."""
    consistency: float = 0.0
    """Weight of how far two views of an utterance, masked differently, are apart (Yao et al. 2025: 0.2, with 2.5 times
    as many time masks and half of the epochs); a step then takes twice as long."""
    weight_noise: float = 0.0
    """Standard deviation of the noise on every weight matrix in each batch (Graves 2013: 0.075)."""
    ema: float = 0.0
    """Decay of a moving average over steps, which is then what is scored and saved (0.999); 0 is none."""
    average: int = 0
    """Epochs whose weights are averaged at the end: best/ if its dev WER is no worse; 0 averages none."""
    average_of: str = "last"
    """Which epochs: the last ones, or the best by dev WER."""
    init_from: str | None = None
    """A model to start from: its weights, and its alphabet if that can write the training texts."""
    freeze: tuple[str, ...] = ()
    """Parts that keep the weights of init_from: subsampling, recurrent."""
    patience: int = 0
    """Epochs without a better dev WER before training stops early; 0 never stops."""
    chunk_seconds: float = 0.0
    """Hear so much at a time, the state carried over and its gradient cut (truncated backpropagation through time), so
    that recordings of any length fit into memory; for one direction. 0 hears utterances whole."""
    watch_gradients: bool = True
    """Measure after each epoch, on a few utterances, how far back gradients reach: gradients.png. Not in chunks."""
    save_minutes: float = 10.0
    """Minutes between states that are saved inside an epoch, to go on from; 0 saves at the ends of epochs only."""
    precision: str = "32"
    """32, bf16 where the processor or GPU has it, or fp16 on an NVIDIA GPU."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    threads: int = 0
    """Processor threads; 0 is torch's own choice. Use 1 when other programs are busy."""

    def __post_init__(self) -> None:
        allowed = {
            "schedule": ("cosine", "noam", "plateau", "constant"),
            "average_of": ("last", "best"),
            "precision": ("32", "bf16", "fp16"),
            "device": ("auto", "cpu", "cuda", "mps"),
        }
        for key, choices in allowed.items():
            if getattr(self, key) not in choices:
                raise ConfigError(f"trainer.{key}={getattr(self, key)!r} is not one of {', '.join(choices)}.")
        if min(self.max_epochs, self.plateau_patience, self.accumulate) < 1 or self.learning_rate <= 0:
            raise ConfigError(
                "trainer: max_epochs, learning_rate, plateau_patience and accumulate must be positive."
            )
        for key in (
            *("weight_decay", "warmup_epochs", "clip_norm", "patience", "threads"),
            *("weight_noise", "average", "ema", "label_smoothing", "consistency"),
            *("save_minutes", "chunk_seconds"),
        ):
            if getattr(self, key) < 0:
                raise ConfigError(f"trainer.{key}={getattr(self, key)} must not be negative.")
        if max(self.ema, self.label_smoothing) >= 1:
            raise ConfigError("trainer: ema and label_smoothing must be less than 1.")
        self._check_frozen()

    def _check_frozen(self) -> None:
        wrong = set(self.freeze) - {"subsampling", "recurrent"}
        if wrong:
            raise ConfigError(f"trainer.freeze={min(wrong)!r} is not one of subsampling, recurrent.")
        if self.freeze and self.init_from is None:
            raise ConfigError(
                "trainer.freeze keeps weights of another model: give trainer.init_from=MODEL too."
            )
