"""What an epoch has come to so far: it travels with the state, so that the epoch goes on where it was left."""

import time
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Mean:
    """A weighted mean that grows."""

    total: float = 0.0
    weight: int = 0

    def add(self, value: float | Tensor, weight: int) -> None:
        """Take in a value that stands for ``weight`` alike."""
        self.total += weight * float(value)
        self.weight += weight

    @property
    def value(self) -> float:
        """Not a number as long as nothing has been taken in."""
        return self.total / self.weight if self.weight else float("nan")


@dataclass
class Tally:
    """The batches of an epoch that are done, and what its row in ``metrics.csv`` is made of."""

    epoch: int
    batches: int = 0
    seconds: float = 0.0
    """Up to the last of these batches, by all who worked on the epoch one after the other."""
    loss: Mean = field(default_factory=Mean)
    """Over utterances."""
    gradient_norm: Mean = field(default_factory=Mean)
    """Over steps, before clipping."""
    largest_gradient_norm: float = 0.0

    def __post_init__(self) -> None:
        self._since = time.perf_counter()  # no field: whoever goes on has a clock of its own

    def of(self, epoch: int) -> "Tally":
        """This one, if its epoch was left inside, or one that begins."""
        return self if self.epoch == epoch else Tally(epoch)

    def add_norm(self, norm: float) -> None:
        """Take in the norm of a step's gradient."""
        self.gradient_norm.add(norm, 1)
        self.largest_gradient_norm = max(self.largest_gradient_norm, norm)

    def count_batch(self) -> None:
        """Another batch is done."""
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now
        self.batches += 1
