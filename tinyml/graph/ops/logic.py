"""Ops that compare, choose and convert: MAXIMUM, MINIMUM, comparisons, logic, SELECT, ARG_MAX, REDUCE_MAX, CAST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyml.graph.ir import ABSENT, DType, Graph, Op
from tinyml.graph.ops.base import Attrs, OpSpec
from tinyml.graph.ops.common import attrs_of, different_quantisation, shape_text
from tinyml.graph.ops.reduce import ReduceAttrs, ReduceSpec

MAX_DIMS = 4
"""What LiteRT's reference kernels broadcast over."""

LEAST_SCALE, MOST_SCALE = 2**-24, 0.999

OF_TWO = (
    "MAXIMUM",
    "MINIMUM",
    "GREATER",
    "GREATER_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "EQUAL",
    "NOT_EQUAL",
    "LOGICAL_AND",
    "LOGICAL_OR",
)
"""The ops of two operands that broadcast."""


@dataclass(frozen=True, slots=True)
class ArgAttrs(Attrs):
    """Attributes of ARG_MAX and ARG_MIN; the only input is x. ``axis`` is not negative."""

    axis: int = 0


class LogicSpec(OpSpec):
    """What these ops share: how many inputs, of which types."""

    inputs: ClassVar[int] = 2
    types: ClassVar[tuple[DType, ...]] = (DType.INT8, DType.INT32)

    def constraint_attributes(self, graph: Graph, op: Op) -> str | None:
        """The op has its number of inputs, one output, and attributes of its own type."""
        if len(op.inputs) != self.inputs or len(op.outputs) != 1 or ABSENT in op.inputs:
            return f"got {len(op.inputs)} inputs and {len(op.outputs)} outputs"
        return None if type(op.attrs) is self.attrs_type else f"got {type(op.attrs).__name__}"

    def constraint_run_time(self, graph: Graph, op: Op) -> str | None:
        """At least one input is computed at run time, and the output is."""
        if all(graph.tensors[i].is_constant for i in op.inputs):
            return "every input is constant"
        return "the output is constant" if graph.tensors[op.outputs[0]].is_constant else None

    def _types(self, graph: Graph, op: Op, *, output: bool) -> str | None:
        found = [graph.tensors[i].dtype for i in (*op.inputs, *(op.outputs if output else ()))]
        if len(set(found)) == 1 and found[0] in self.types:
            return None
        return f"got {', '.join(dtype.value for dtype in found)}"


def broadcast_facts(graph: Graph, op: Op, most: int = MAX_DIMS) -> str | None:
    """Facts where the output's shape is not that of all inputs broadcast together."""
    shapes, y = [graph.tensors[i].shape for i in op.inputs], graph.tensors[op.outputs[0]].shape
    if all(shape == y for shape in shapes):
        return None
    rank = max(map(len, shapes))
    columns = list(zip(*((1,) * (rank - len(s)) + s for s in shapes), strict=True))
    if rank <= most and all(set(c) <= {1, max(c)} for c in columns) and y == tuple(map(max, columns)):
        return None
    return f"got {' and '.join(map(shape_text, shapes))} to {shape_text(y)}"


class Maximum(LogicSpec):
    """The larger of two, compared as they are stored."""

    kind = "MAXIMUM"

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """Inputs and output are all int8 or all int32."""
        return self._types(graph, op, output=True)

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output's shape is that of the inputs broadcast together, of at most 5 dimensions where they differ."""
        return broadcast_facts(graph, op, 5)


class Minimum(Maximum):
    """The smaller of two, compared as they are stored."""

    kind = "MINIMUM"


class Comparison(LogicSpec):
    """Two tensors compared; int8 ones as TFLite does it, scaled by 2^8 and rounded to integers."""

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """The inputs are both int8 or both int32, EQUAL's and NOT_EQUAL's also bool; the output is bool."""
        facts = self._types(graph, op, output=False)
        y = graph.tensors[op.outputs[0]].dtype
        return facts or (None if y is DType.BOOL else f"got {y.value}")

    def constraint_scale(self, graph: Graph, op: Op) -> str | None:
        """The scales of int8 inputs are single ones, from 2^-24 to 0.999."""
        for tensor in (graph.tensors[i] for i in op.inputs):
            if tensor.dtype is not DType.INT8:
                continue
            if tensor.quant is None or tensor.quant.per_channel or not LEAST_SCALE <= tensor.scale <= MOST_SCALE:
                return f"got {tensor.quant.scales[:1] if tensor.quant else 'none'}"
        return None

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output's shape is that of the inputs broadcast together, of at most 4 dimensions where they differ."""
        return broadcast_facts(graph, op)


class Greater(Comparison):
    """``a > b``."""

    kind = "GREATER"


class GreaterEqual(Comparison):
    """``a >= b``."""

    kind = "GREATER_EQUAL"


class Less(Comparison):
    """``a < b``."""

    kind = "LESS"


class LessEqual(Comparison):
    """``a <= b``."""

    kind = "LESS_EQUAL"


class Equal(Comparison):
    """``a == b``."""

    kind = "EQUAL"
    types = (DType.INT8, DType.INT32, DType.BOOL)


class NotEqual(Equal):
    """``a != b``."""

    kind = "NOT_EQUAL"


class LogicalAnd(Maximum):
    """Both."""

    kind = "LOGICAL_AND"
    types = (DType.BOOL,)

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """Inputs and output are bool."""
        return self._types(graph, op, output=True)

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output's shape is that of the inputs broadcast together, of at most 4 dimensions where they differ."""
        return broadcast_facts(graph, op)


class LogicalOr(LogicalAnd):
    """At least one."""

    kind = "LOGICAL_OR"


class LogicalNot(LogicalAnd):
    """The contrary."""

    kind = "LOGICAL_NOT"
    inputs = 1


class SelectV2(LogicSpec):
    """``a`` where the condition holds, ``b`` elsewhere, as they are stored."""

    kind = "SELECT_V2"
    inputs = 3
    types = (DType.INT8, DType.INT32, DType.BOOL)

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """The condition is bool; both choices and the output are int8, int32 or bool, all the same."""
        condition, *found = (graph.tensors[i].dtype for i in (*op.inputs, *op.outputs))
        if condition is DType.BOOL and len(set(found)) == 1 and found[0] in self.types:
            return None
        return f"got {condition.value}, {', '.join(dtype.value for dtype in found)}"

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output's shape is that of the inputs broadcast together, of at most 4 dimensions where they differ."""
        return broadcast_facts(graph, op)


class Select(SelectV2):
    """The same for a condition of the choices' shape, or with a value for each slice along the first dimension."""

    kind = "SELECT"

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """Both choices have the output's shape; the condition has it, too, or that of its first dimension, or none."""
        condition, a, b, y = (graph.tensors[i].shape for i in (*op.inputs, *op.outputs))
        if a == b == y and condition in (y, y[:1], ()):
            return None
        return f"got {' and '.join(map(shape_text, (condition, a, b)))} to {shape_text(y)}"


class ArgMax(LogicSpec):
    """Where along an axis the largest element is, the first of several."""

    kind = "ARG_MAX"
    attrs_type = ArgAttrs
    inputs = 1

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """The input is int8 or int32, the output int32 or int64."""
        y = graph.tensors[op.outputs[0]].dtype
        facts = self._types(graph, op, output=False)
        return facts or (None if y in (DType.INT32, DType.INT64) else f"got {y.value}")

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The axis is constant and one of the input's; the output has the input's shape without it."""
        x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
        axis = attrs_of(op, ArgAttrs).axis
        if 0 <= axis < len(x) and y == (*x[:axis], *x[axis + 1 :]):
            return None
        return f"got {shape_text(x)} to {shape_text(y)} along {axis}"


class ArgMin(ArgMax):
    """Where along an axis the smallest element is, the first of several."""

    kind = "ARG_MIN"


class ReduceMax(LogicSpec):
    """The largest element over axes."""

    kind = "REDUCE_MAX"
    attrs_type = ReduceAttrs
    inputs = 1

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """Input and output are int8 or int32, both the same."""
        return self._types(graph, op, output=True)

    constraint_axes = ReduceSpec.constraint_axes
    constraint_shape = ReduceSpec.constraint_shape

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Input and output have the same scale and zero point."""
        return different_quantisation(graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]])


class ReduceMin(ReduceMax):
    """The smallest element over axes."""

    kind = "REDUCE_MIN"


class Cast(LogicSpec):
    """Another type for the same numbers: the low bits of wider ones, bool where not zero."""

    kind = "CAST"
    inputs = 1

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """Input and output are int8, int32 or bool."""
        found = [graph.tensors[i].dtype for i in (*op.inputs, *op.outputs)]
        known = all(dtype in (DType.INT8, DType.INT32, DType.BOOL) for dtype in found)
        return None if known else f"got {' to '.join(dtype.value for dtype in found)}"

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output has the input's shape."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        return None if x.shape == y.shape else f"got {shape_text(x.shape)} to {shape_text(y.shape)}"


LOGIC: tuple[OpSpec, ...] = (
    Maximum(),
    Minimum(),
    Greater(),
    GreaterEqual(),
    Less(),
    LessEqual(),
    Equal(),
    NotEqual(),
    LogicalAnd(),
    LogicalOr(),
    LogicalNot(),
    SelectV2(),
    Select(),
    ArgMax(),
    ArgMin(),
    ReduceMax(),
    ReduceMin(),
    Cast(),
)
