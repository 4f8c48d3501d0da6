"""QUANTIZE (float32 → int8, or int8 → int8 with other parameters) and DEQUANTIZE (int8 → float32)."""

from __future__ import annotations

from collections.abc import Iterator

from tinyml.graph.ir import DType, Graph, Op, Tensor
from tinyml.graph.ops.common import ElementwiseSpec, multiplier_facts


class Quantize(ElementwiseSpec):
    """Quantisation of a float input, or requantisation."""

    kind = "QUANTIZE"

    def activations(self, graph: Graph, op: Op) -> Iterator[tuple[str, Tensor]]:
        """The output, and the input unless it is a float input of the graph."""
        if graph.tensors[op.inputs[0]].dtype is not DType.FLOAT32:
            yield "input 0", graph.tensors[op.inputs[0]]
        yield "output 0", graph.tensors[op.outputs[0]]

    def constraint_border(self, graph: Graph, op: Op) -> str | None:
        """A float32 input is an input of the graph."""
        x = graph.tensors[op.inputs[0]]
        inside = x.dtype is DType.FLOAT32 and op.inputs[0] not in graph.inputs
        return f"{x.name[:80]!r} is computed in float" if inside else None

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """Of int8 inputs, input scale divided by output scale is below 2^30."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        return None if x.dtype is DType.FLOAT32 else multiplier_facts(x.scale / y.scale)


class Dequantize(ElementwiseSpec):
    """Floats of a quantised tensor."""

    kind = "DEQUANTIZE"

    def activations(self, graph: Graph, op: Op) -> Iterator[tuple[str, Tensor]]:
        """The input."""
        yield "input 0", graph.tensors[op.inputs[0]]

    def constraint_border(self, graph: Graph, op: Op) -> str | None:
        """The output is float32 and an output of the graph."""
        y = graph.tensors[op.outputs[0]]
        if y.dtype is not DType.FLOAT32:
            return f"got {y.dtype.value}"
        return None if op.outputs[0] in graph.outputs else f"{y.name[:80]!r} goes on in float"
