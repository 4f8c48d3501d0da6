"""GATHER: rows along an axis, chosen when compiling or at run time."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import shape_text
from tinyml.graph.ops.move import MoveSpec


@dataclass(frozen=True, slots=True)
class GatherAttrs(Attrs):
    """Attributes of GATHER at run time; inputs are (x, indices int32). ``axis`` is not negative."""

    axis: int = 0


class Gather(MoveSpec):
    """Elements along an axis by their numbers: constant ones move elements, others are read at run time."""

    kind = "GATHER"
    attrs_type = GatherAttrs

    def constraint_attributes(self, graph: Graph, op: Op) -> str | None:
        """It has an input, and indices that are constant or a tensor; there are no batch dimensions."""
        if not isinstance(op.attrs, GatherAttrs):
            return super().constraint_attributes(graph, op)
        return None if len(op.inputs) == 2 and min(op.inputs) >= 0 else f"got {len(op.inputs)} inputs"

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output has the input's shape with that of the indices in the axis' place; run-time ones are int32."""
        if not isinstance(op.attrs, GatherAttrs):
            return super().constraint_shape(graph, op)
        x, indices, y = (graph.tensors[i] for i in (*op.inputs, *op.outputs))
        axis = op.attrs.axis
        wanted = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
        if indices.dtype is DType.INT32 and 0 <= axis < len(x.shape) and y.shape == wanted:
            return None
        what = f"{indices.dtype.value} {shape_text(indices.shape)} along {axis}"
        return f"got {shape_text(x.shape)} to {shape_text(y.shape)} by {what}"

    def constraint_loops(self, graph: Graph, op: Op) -> str | None:
        """With constant indices it takes at most 6 nested loops, 4 where positions come from tables."""
        return None if isinstance(op.attrs, GatherAttrs) else super().constraint_loops(graph, op)
