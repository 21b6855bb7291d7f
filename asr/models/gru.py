"""A GRU that trains on a processor about as fast as an LSTM, for which alone torch has a kernel there (oneDNN's)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class GRU(nn.GRU):
    """torch's own of one layer and direction, ``batch_first``, but where it learns in float32 on a processor."""

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``(batch, time, num_inputs)`` to ``(batch, time, units)`` and the last state ``(1, batch, units)``."""
        if state is not None or not _is_learning(inputs):
            return nn.GRU.forward(self, inputs, state)  # type: ignore[no-any-return]
        weight = dict(self.named_parameters())
        from_inputs = functional.linear(inputs.transpose(0, 1), weight["weight_ih_l0"], weight["bias_ih_l0"])
        steps: Any = _Steps.apply
        outputs = steps(from_inputs.contiguous(), weight["weight_hh_l0"], weight["bias_hh_l0"])
        return outputs.transpose(0, 1), outputs[-1:]


def _is_learning(inputs: Tensor) -> bool:
    plain = inputs.device.type == "cpu" and inputs.dtype == torch.float32
    return plain and torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


class _Steps(torch.autograd.Function):
    """From what the inputs add to each gate ``(time, batch, 3 * units)`` to outputs ``(time, batch, units)``.

    The equations, the order of the gates (reset, update, content) and the second bias are those of ``nn.GRU``.
    """

    @staticmethod
    def forward(ctx: Any, from_inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        from asr.models.gru_steps import advance

        time, batch, _ = from_inputs.shape
        from_state, gates = torch.empty_like(from_inputs), torch.empty_like(from_inputs)
        outputs = from_inputs.new_empty(time, batch, weight.shape[1])
        state = outputs.new_zeros(batch, weight.shape[1])
        arrays = [one.detach().numpy() for one in (from_inputs, from_state, gates, outputs)]
        for step in range(time):
            torch.addmm(bias, state, weight.t(), out=from_state[step])
            advance(step, *arrays, state.numpy())
            state = outputs[step]
        ctx.save_for_backward(from_state, gates, outputs, weight)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        from asr.models.gru_steps import retreat

        from_state, gates, outputs, weight = ctx.saved_tensors
        of_inputs, of_state = torch.empty_like(gates), torch.empty_like(gates)
        before = torch.cat([torch.zeros_like(outputs[:1]), outputs[:-1]])
        carried = torch.zeros_like(outputs[0])
        arrays = [one.numpy() for one in (upstream.contiguous(), of_inputs, of_state, carried)]
        known = [one.numpy() for one in (from_state, gates)]
        for step in reversed(range(len(outputs))):
            retreat(step, *known, before[step].numpy(), *arrays)
            carried.addmm_(of_state[step], weight)
        of_weight = of_state.flatten(0, 1).t() @ before.flatten(0, 1)
        return of_inputs, of_weight, of_state.sum(dim=(0, 1))
