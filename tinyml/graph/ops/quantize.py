"""QUANTIZE (from float32 at the border, or between 8-bit types and parameters) and DEQUANTIZE (to float32)."""

from __future__ import annotations

from tinyml.graph.ir import DType, Graph, Op, Tensor
from tinyml.graph.ops.common import ElementwiseSpec, multiplier_facts

_BYTES = (DType.INT8, DType.UINT8)


def _byte_facts(which: str, tensor: Tensor) -> str | None:
    if tensor.dtype not in _BYTES or tensor.quant is None:
        return f"the {which} is {tensor.dtype.value}{'' if tensor.quant else ', not quantised'}"
    return f"the {which} has {len(tensor.quant.scales)} scales" if tensor.quant.per_channel else None


class Quantize(ElementwiseSpec):
    """Quantisation of a float input, or requantisation."""

    kind = "QUANTIZE"

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """The input is float32, int8 or uint8, the output int8 or uint8; integers have one scale and zero point."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        facts = None if x.dtype is DType.FLOAT32 else _byte_facts("input", x)
        return facts or _byte_facts("output", y)

    def constraint_border(self, graph: Graph, op: Op) -> str | None:
        """A float32 input is an input of the graph."""
        x = graph.tensors[op.inputs[0]]
        inside = x.dtype is DType.FLOAT32 and op.inputs[0] not in graph.inputs
        return f"{x.name[:80]!r} is computed in float" if inside else None

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """Of integer inputs, input scale divided by output scale is below 2^30."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        return None if x.dtype is DType.FLOAT32 else multiplier_facts(x.scale / y.scale)


class Dequantize(ElementwiseSpec):
    """Floats of a quantised tensor."""

    kind = "DEQUANTIZE"

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """The input is int8 or uint8 with one scale and one zero point."""
        return _byte_facts("input", graph.tensors[op.inputs[0]])

    def constraint_border(self, graph: Graph, op: Op) -> str | None:
        """The output is float32 and an output of the graph."""
        y = graph.tensors[op.outputs[0]]
        if y.dtype is not DType.FLOAT32:
            return f"got {y.dtype.value}"
        return None if op.outputs[0] in graph.outputs else f"{y.name[:80]!r} goes on in float"
