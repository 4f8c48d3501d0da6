"""TOPK_V2: the largest elements along the last axis, largest first, and where they are."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import attrs_of, different_quantisation, shape_text
from tinyml.graph.ops.logic import LogicSpec


@dataclass(frozen=True, slots=True)
class TopKAttrs(Attrs):
    """Attributes of TOPK_V2; the only input is x. ``positions``: the output is where the elements are, not they."""

    positions: bool = False


class TopK(LogicSpec):
    """The largest along the last axis, largest first, of equal ones the first; each output is an op of its own."""

    kind = "TOPK_V2"
    attrs_type = TopKAttrs
    inputs = 1

    def constraint_types(self, graph: Graph, op: Op) -> str | None:
        """The input is int8 or int32; elements have its type, their positions are int32."""
        y = graph.tensors[op.outputs[0]].dtype
        wanted = DType.INT32 if attrs_of(op, TopKAttrs).positions else graph.tensors[op.inputs[0]].dtype
        facts = self._types(graph, op, output=False)
        return facts or (None if y is wanted else f"got {y.value}")

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """How many is constant and at most the last axis has; the output has as many in its place."""
        x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
        if x and len(y) == len(x) and y[:-1] == x[:-1] and 1 <= y[-1] <= x[-1]:
            return None
        return f"got {shape_text(x)} to {shape_text(y)}"

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Elements keep the input's scale and zero point."""
        if attrs_of(op, TopKAttrs).positions:
            return None
        return different_quantisation(graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]])
