"""What happens to weights besides gradient descent: noise, averages, and others in their place for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def replaced(module: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, the module has these weights, by their names in it; afterwards its own again."""
    weights = module.state_dict()
    own = {name: weights[name].clone() for name in tensors}
    module.load_state_dict(tensors, strict=False)
    try:
        yield
    finally:
        module.load_state_dict(own, strict=False)


def noisy(module: nn.Module, deviation: float) -> dict[str, Tensor]:
    """Each weight matrix with Gaussian noise (Graves 2013), drawn from torch's own generator."""
    return {
        name: weight.detach() + deviation * torch.randn_like(weight)
        for name, weight in module.named_parameters()
        if deviation and weight.ndim > 1
    }


class MovingAverage(nn.Module):
    """The exponential moving average of a module's weights after each step.

    Its first values weigh no more than the others (as in Adam's moments, Kingma and Ba 2015), so that it is
    of use from the first epoch on. Buffers, so that it travels with the checkpoint and to the device.
    """

    def __init__(self, module: nn.Module, decay: float):
        super().__init__()
        self.decay = decay
        self.names = [name for name, _ in module.named_parameters()]
        self.count: Tensor
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        for number, weight in enumerate(module.parameters()):
            self.register_buffer(f"mean_{number}", weight.detach().clone())

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights as they are now."""
        self.count += 1
        share = (1 - self.decay) / (1 - self.decay ** int(self.count))
        for mean, weight in zip(self._means(), module.parameters(), strict=True):
            mean.lerp_(weight, share)

    def tensors(self) -> dict[str, Tensor]:
        """The averages by the names of the weights."""
        return dict(zip(self.names, self._means(), strict=True))

    def _means(self) -> list[Tensor]:
        return [self.get_buffer(f"mean_{number}") for number in range(len(self.names))]
