"""SQUARED_DIFFERENCE, PRELU and DIV."""

from __future__ import annotations

import numpy as np

from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.binary import BinaryAttrs, BinarySpec
from tinyml.graph.ops.common import attrs_of, multiplier_facts, shape_text


class SquaredDifference(BinarySpec):
    """``(a - b)^2`` with NumPy's broadcasting."""

    kind = "SQUARED_DIFFERENCE"
    attrs_type = Attrs

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """The square of twice the larger input scale is less than 2^14 output scales."""
        a, b = (graph.tensors[i].scale for i in op.inputs)
        multiplier = (2 * max(a, b)) ** 2 / (2**14 * graph.tensors[op.outputs[0]].scale)
        return None if 0 < multiplier < 1 else f"it is {multiplier * 2**14:g} output scales"


class Prelu(BinarySpec):
    """``x`` where positive, ``alpha * x`` elsewhere, alpha being the second input."""

    kind = "PRELU"
    attrs_type = Attrs

    def constraint_slopes(self, graph: Graph, op: Op) -> str | None:
        """The output has the input's shape: only alpha is repeated."""
        x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
        return None if x == y else f"got {shape_text(x)} to {shape_text(y)}"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """The input scale, alone and times alpha's, is below 2^30 output scales."""
        a, b = (graph.tensors[i].scale for i in op.inputs)
        scale = graph.tensors[op.outputs[0]].scale
        return multiplier_facts(a / scale) or multiplier_facts(a * b / scale)


def quotient_multiplier(graph: Graph, op: Op) -> tuple[int, int]:
    """Multiplier and shift of DIV; TFLite divides the scales in float32."""
    a, b, out = (np.float32(graph.tensors[i].scale) for i in (*op.inputs, op.outputs[0]))
    return quantize_multiplier(float(a / (b * out)))


class Div(BinarySpec):
    """Quotient of a tensor and a constant number."""

    kind = "DIV"

    def constraint_divisor(self, graph: Graph, op: Op) -> str | None:
        """The divisor is one constant number, not zero: TFLite stops where one is zero at run time."""
        b = graph.tensors[op.inputs[1]]
        if b.data is None:
            return "the divisor is computed at run time"
        if b.elements != 1:
            return f"it has {b.elements} numbers"
        return "it is zero" if int(b.data.reshape(-1)[0]) == b.zero_point else None

    def constraint_activation(self, graph: Graph, op: Op) -> str | None:
        """There is no fused activation."""
        activation = attrs_of(op, BinaryAttrs).activation
        return None if activation is Activation.NONE else f"got {activation.value}"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """The scale of a over those of b and the output is below 2^22, and at least the divisor as an integer."""
        a, b, y = (graph.tensors[i] for i in (*op.inputs, op.outputs[0]))
        assert b.data is not None
        divisor = abs(int(b.data.reshape(-1)[0]) - b.zero_point)
        _, shift = quotient_multiplier(graph, op)
        if divisor.bit_length() - 1 <= shift <= 22:
            return None
        return f"got {a.scale / (b.scale * y.scale):g} for {divisor}"
