"""What recurrent layers do inside, on the processor: their gates over an utterance, and how far back they remember."""

from asr.inspection.gates import Gates, gates, gates_by_layer
from asr.inspection.memory import Memory, change_by_distance, gradient_by_distance, measure_memory

__all__ = [
    "Gates",
    "Memory",
    "change_by_distance",
    "gates",
    "gates_by_layer",
    "gradient_by_distance",
    "measure_memory",
]
