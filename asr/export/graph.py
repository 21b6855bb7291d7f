"""An ONNX graph in the making: each call adds a node and gives back the name of what it computes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET, IR_VERSION = 20, 9
"""Of 2023; onnxruntime reads them since 1.17."""
RUNTIME = "com.microsoft"
"""The domain of onnxruntime's own operators."""
_LARGEST = 63
"""Seven bits: two products then fit the 16 bits in which processors without VNNI add them up, so that every
processor gives the same answer."""

Shape = Sequence[int | str]


class Graph:
    """Nodes in the order in which they run; an input that is no name becomes a constant."""

    def __init__(self, int8: bool = False):
        self.int8 = int8
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []

    def __call__(self, operator: str, *inputs: str | ArrayLike, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; an empty name leaves an optional input out."""
        name = f"{operator}_{len(self._nodes)}"
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self._nodes.append(helper.make_node(operator, names, [name], name, domain=domain, **attributes))
        return name

    def constant(
        self, value: ArrayLike, name: str = "", precision: type[np.floating[Any]] = np.float32
    ) -> str:
        """A constant: reals in ``precision``, Python's integers as int64."""
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = array.astype(precision)
        name = name or f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def input(self, name: str, kind: int, shape: Shape, default: ArrayLike | None = None) -> str:
        """Something that is given from outside; what has a default may be left out."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        if default is not None:
            self.constant(default, name)
        return name

    def output(self, name: str, value: str, kind: int, shape: Shape) -> None:
        """Give a value to the outside, under a name of its own."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def slice(self, values: str, start: int, end: str | int, axis: int, step: int = 1) -> str:
        """``values[start:end:step]`` along an axis."""
        last = self("Reshape", end, [1]) if isinstance(end, str) else [end]
        return self("Slice", values, [start], last, [axis], [step])

    def shape(self, values: str, axis: int) -> str:
        """How long an axis is, a scalar."""
        return self("Squeeze", self("Shape", values, start=axis, end=axis + 1))

    def linear(self, values: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """``values (..., in)`` times ``weight (in, out)``, plus ``bias (out,)``."""
        if not self.int8:
            return self("Add", self("MatMul", values, weight), bias)
        integers, scale = quantize(weight, axis=0)
        return self("DynamicQuantizeMatMul", values, integers, scale, "", bias, domain=RUNTIME)

    def serialize(self) -> bytes:
        """The whole as ONNX."""
        graph = helper.make_graph(self._nodes, "asr", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="asr")
        return bytes(model.SerializeToString())


def quantize(weight: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers and the scales ``axis`` away, such that their product is the weight but for half a step."""
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0) / _LARGEST
    return np.rint(weight / scale).astype(np.int8), scale.squeeze(axis).astype(np.float32)
