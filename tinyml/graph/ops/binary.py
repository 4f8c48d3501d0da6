"""ADD, SUB and MUL with NumPy's broadcasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyml.graph.ir import Activation, DType, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, all_of, attrs_of, multiplier_facts, shape_text


@dataclass(frozen=True, slots=True)
class BinaryAttrs(Attrs):
    """Attributes of ADD, SUB, MUL; inputs are (a, b), either may be constant."""

    activation: Activation = Activation.NONE


class BinarySpec(Int8Spec):
    """What ops of two inputs share."""

    attrs_type: ClassVar[type[Attrs]] = BinaryAttrs
    inputs_min = 2
    inputs_max = 2

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output's shape is that of the inputs broadcast together, of at most 5 dimensions."""
        a, b = (graph.tensors[i].shape for i in op.inputs)
        y = graph.tensors[op.outputs[0]].shape
        rank = max(len(a), len(b))
        pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
        fits = rank <= 5 and all(m == n or 1 in (m, n) for m, n in pairs)
        if fits and y == tuple(max(pair) for pair in pairs):
            return None
        return f"got {shape_text(a)} and {shape_text(b)} to {shape_text(y)}"


class ArithmeticSpec(BinarySpec):
    """ADD, SUB and MUL, which int32 tensors have as well."""

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """Inputs and output are int8 with one scale and one zero point, or all int32 without a fused activation."""
        if all_of(graph, op, DType.INT32) and attrs_of(op, BinaryAttrs).activation is Activation.NONE:
            return None
        return super().constraint_int8(graph, op)


class SumSpec(ArithmeticSpec):
    """ADD and SUB, which bring both inputs to a common scale with 20 more bits."""

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """Twice the larger input scale is less than 2^20 output scales."""
        if all_of(graph, op, DType.INT32):
            return None
        a, b = (graph.tensors[i].scale for i in op.inputs)
        multiplier = 2 * max(a, b) / (2**20 * graph.tensors[op.outputs[0]].scale)
        return None if 0 < multiplier < 1 else f"it is {multiplier * 2**20:g} output scales"


class Add(SumSpec):
    """Sum of two tensors."""

    kind = "ADD"


class Sub(SumSpec):
    """Difference of two tensors."""

    kind = "SUB"


class Mul(ArithmeticSpec):
    """Product of two tensors."""

    kind = "MUL"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """The product of the input scales divided by the output scale is below 2^30."""
        if all_of(graph, op, DType.INT32):
            return None
        a, b = (graph.tensors[i].scale for i in op.inputs)
        return multiplier_facts(a * b / graph.tensors[op.outputs[0]].scale)
