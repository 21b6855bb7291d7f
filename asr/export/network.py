"""The network as ONNX: time first, as its recurrent operators want it, and these stop at each utterance's length."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from asr.export.front_end import inside
from asr.export.graph import RUNTIME, Graph, quantize
from asr.model_settings import STRIDES, ModelSettings

Tensors = Mapping[str, NDArray[np.float32]]
Array = NDArray[np.float32]

GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
"""Where ONNX's gates stand in torch: iofc in ifco, zrh in rzh."""
_OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}


def network(
    graph: Graph, settings: ModelSettings, tensors: Tensors, features: str, lengths: str
) -> tuple[str, str]:
    """Features ``(batch, time, feature)`` to log_probs ``(batch, time / stride, vocab)`` and their lengths."""
    hidden = graph("Transpose", features, perm=[1, 0, 2])
    for place, stride in enumerate(STRIDES[settings.subsampling]):
        hidden = _convolution(graph, tensors, place, stride, _silence(graph, hidden, lengths))
        lengths = graph("Div", graph("Add", lengths, stride - 1), stride)
    for place in range(settings.num_layers):
        hidden = _block(graph, settings, _under(tensors, f"blocks.{place}."), hidden, lengths)
    if settings.lookahead:
        hidden = _lookahead(graph, tensors["lookahead.convolution.weight"], _silence(graph, hidden, lengths))
    scores = graph.linear(hidden, tensors["head.1.weight"].T, tensors["head.1.bias"])
    log_probs = graph("LogSoftmax", scores, axis=-1)
    return graph("Transpose", log_probs, perm=[1, 0, 2]), lengths


def _silence(graph: Graph, hidden: str, lengths: str) -> str:
    """``hidden (time, batch, channel)`` with zeros beyond each length."""
    mask = graph("Transpose", inside(graph, lengths, graph.shape(hidden, 0)), perm=[1, 0])
    return graph("Where", graph("Unsqueeze", mask, [2]), hidden, 0.0)


def _convolution(graph: Graph, tensors: Tensors, place: int, stride: int, hidden: str) -> str:
    """What a kernel sees side by side, times a matrix: that has an int8 form, and time stays in front."""
    weight = tensors[f"subsampling.convolutions.{place}.weight"]  # (out, in, kernel)
    size = weight.shape[2]
    last = graph("Sub", graph.shape(hidden, 0), 1)
    reach = graph("Mul", graph("Div", last, stride), stride)
    padded = graph("Pad", hidden, [size // 2, 0, 0, size // 2, 0, 0])
    taps = [graph.slice(padded, tap, graph("Add", reach, tap + 1), 0, stride) for tap in range(size)]
    matrix = weight.transpose(2, 1, 0).reshape(-1, len(weight))
    bias = tensors[f"subsampling.convolutions.{place}.bias"]
    heard = graph.linear(graph("Concat", *taps, axis=-1), matrix, bias)
    return graph("Gelu", _norm(graph, _under(tensors, f"subsampling.norms.{place}."), heard))


def _lookahead(graph: Graph, weight: Array, hidden: str) -> str:
    """Each unit's weighted sum of now and the frames that follow; ``weight (width, 1, taps)``."""
    num_taps = weight.shape[2]
    padded = graph("Pad", hidden, [0, 0, 0, num_taps - 1, 0, 0])
    length = graph.shape(hidden, 0)
    taps = [graph.slice(padded, tap, graph("Add", length, tap), 0, 1) for tap in range(num_taps)]
    return graph("Sum", *(graph("Mul", one, weight[:, 0, tap]) for tap, one in enumerate(taps)))


def _block(graph: Graph, settings: ModelSettings, tensors: Tensors, inputs: str, lengths: str) -> str:
    """A recurrent layer with projection, residual and layer norm."""
    outputs = _recurrent(graph, settings, _under(tensors, "layer."), inputs, lengths)
    width = settings.hidden_size * (1 + settings.bidirectional)
    if settings.projection:
        width = settings.projection
        outputs = graph.linear(outputs, tensors["projection.weight"].T, tensors["projection.bias"])
    if settings.residual and width == tensors["layer.ahead.weight_ih_l0"].shape[1]:
        outputs = graph("Add", outputs, inputs)
    return _norm(graph, _under(tensors, "norm."), outputs) if settings.layer_norm else outputs


def _recurrent(graph: Graph, settings: ModelSettings, tensors: Tensors, inputs: str, lengths: str) -> str:
    """One operator for both directions, ``(time, batch, width)`` to ``(time, batch, directions * hidden_size)``."""
    directions = ("ahead", "behind") if settings.bidirectional else ("ahead",)

    def gathered(name: str) -> Array:
        parts = [tensors[f"{direction}.{name}_l0"] for direction in directions]
        gates = [np.split(part, len(GATES[settings.cell])) for part in parts]
        return np.stack([np.concatenate([gate[g] for g in GATES[settings.cell]]) for gate in gates])

    weights = gathered("weight_ih"), gathered("weight_hh")
    bias = np.concatenate([gathered("bias_ih"), gathered("bias_hh")], axis=1)
    attributes: dict[str, Any] = {
        "hidden_size": settings.hidden_size,
        "direction": "bidirectional" if settings.bidirectional else "forward",
    }
    steps = graph("Cast", lengths, to=TensorProto.INT32)
    if graph.int8 and settings.cell == "lstm":
        (ahead, ahead_scale), (back, back_scale) = (quantize(w.transpose(0, 2, 1), axis=1) for w in weights)
        zeros = np.zeros(ahead_scale.shape, np.int8)
        scales = (ahead_scale, zeros, back_scale, zeros)
        given = (inputs, ahead, back, bias, steps, "", "", "", *scales)
        outputs = graph("DynamicQuantizeLSTM", *given, domain=RUNTIME, **attributes)
    else:
        if settings.cell == "gru":
            attributes["linear_before_reset"] = 1
        if settings.cell.startswith("rnn"):
            attributes["activations"] = [settings.cell.removeprefix("rnn_").capitalize()] * len(directions)
        stored = [_stored(graph, weight) for weight in weights]
        outputs = graph(_OPERATORS[settings.cell], inputs, *stored, bias, steps, **attributes)
    # (time, direction, batch, hidden_size)
    return graph("Reshape", graph("Transpose", outputs, perm=[0, 2, 1, 3]), [0, 0, -1])


def _stored(graph: Graph, weight: Array) -> Array | str:
    """A matrix that onnxruntime has no int8 operator for: small in the file, float32 once it is loaded."""
    if not graph.int8:
        return weight
    integers, scale = quantize(weight, axis=2)
    return graph("Mul", graph("Cast", integers, to=TensorProto.FLOAT), scale[..., None])


def _norm(graph: Graph, tensors: Tensors, values: str) -> str:
    return graph("LayerNormalization", values, tensors["weight"], tensors["bias"])


def _under(tensors: Tensors, prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
