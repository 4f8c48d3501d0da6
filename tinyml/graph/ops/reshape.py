"""RESHAPE, SQUEEZE and EXPAND_DIMS: the same bytes under another shape (the output tensor's)."""

from __future__ import annotations

from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, all_of, different_quantisation, shape_text


class Reshape(Int8Spec):
    """Another shape for the same elements; the only input is x."""

    kind = "RESHAPE"
    attrs_type = Attrs

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """Input and output are int8 with one scale and one zero point, or both int32, int64 or bool."""
        if all_of(graph, op, DType.INT32, DType.INT64, DType.BOOL):
            return None
        return super().constraint_int8(graph, op)

    def constraint_run_time(self, graph: Graph, op: Op) -> str | None:
        """The output is computed at run time; a constant input is reshaped when compiling."""
        return "it is constant" if graph.tensors[op.outputs[0]].is_constant else None

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """Input and output have as many elements."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        return None if x.elements == y.elements else f"got {shape_text(x.shape)} to {shape_text(y.shape)}"


class Squeeze(Reshape):
    """Dimensions of size 1 removed; the only input is x."""

    kind = "SQUEEZE"


class ExpandDims(Reshape):
    """A dimension of size 1 inserted; the only input is x."""

    kind = "EXPAND_DIMS"

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Input and output have the same scale and zero point."""
        return different_quantisation(graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]])
