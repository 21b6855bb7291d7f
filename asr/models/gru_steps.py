"""One step of a GRU ahead and one back, compiled: all that a step does beside its matrix product.

torch writes each step as some forty operations on small arrays, and calling them takes longer than what they do.
"""

import math

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled

Floats = NDArray[np.float32]


def _advance(
    time: int, from_inputs: Floats, from_state: Floats, gates: Floats, outputs: Floats, before: Floats
) -> None:
    """Write the gates and the outputs ``(time, batch, ...)`` of a step, whose state was ``before (batch, units)``."""
    units = before.shape[1]
    one = np.float32(1)
    for row in range(before.shape[0]):
        for unit in range(units):
            update, content = units + unit, 2 * units + unit
            reset_sum = from_inputs[time, row, unit] + from_state[time, row, unit]
            update_sum = from_inputs[time, row, update] + from_state[time, row, update]
            reset = one / (one + math.exp(-reset_sum))
            keep = one / (one + math.exp(-update_sum))
            new = math.tanh(from_inputs[time, row, content] + reset * from_state[time, row, content])
            gates[time, row, unit] = reset
            gates[time, row, update] = keep
            gates[time, row, content] = new
            outputs[time, row, unit] = new + keep * (before[row, unit] - new)


def _retreat(
    time: int,
    from_state: Floats,
    gates: Floats,
    before: Floats,
    upstream: Floats,
    of_inputs: Floats,
    of_state: Floats,
    carried: Floats,
) -> None:
    """Write the gradients of a step's two sums; ``carried (batch, units)`` is that of its state, then of ``before``.

    What reaches ``before`` through the sum ``from_state`` is for the caller to add.
    """
    units = before.shape[1]
    one = np.float32(1)
    for row in range(before.shape[0]):
        for unit in range(units):
            update, content = units + unit, 2 * units + unit
            reset, keep, new = gates[time, row, unit], gates[time, row, update], gates[time, row, content]
            gradient = upstream[time, row, unit] + carried[row, unit]
            of_new = gradient * (one - keep) * (one - new * new)
            of_keep = gradient * (before[row, unit] - new) * keep * (one - keep)
            of_reset = of_new * from_state[time, row, content] * reset * (one - reset)
            of_inputs[time, row, unit] = of_state[time, row, unit] = of_reset
            of_inputs[time, row, update] = of_state[time, row, update] = of_keep
            of_inputs[time, row, content] = of_new
            of_state[time, row, content] = of_new * reset
            carried[row, unit] = gradient * keep


advance, retreat = compiled(_advance), compiled(_retreat)
