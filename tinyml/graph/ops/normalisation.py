"""L2_NORMALIZATION and LOG_SOFTMAX, over the last dimension."""

from __future__ import annotations

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.common import ElementwiseSpec


class L2Normalization(ElementwiseSpec):
    """Each row divided by the root of the sum of its squares."""

    kind = "L2_NORMALIZATION"

    def constraint_size(self, graph: Graph, op: Op) -> str | None:
        """The rows have from 1 to 33000 elements, so that no int32 sum overflows."""
        shape = graph.tensors[op.inputs[0]].shape
        return None if shape and shape[-1] <= 33_000 else f"got rows of {shape[-1] if shape else 0}"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output has scale 1/128 and zero point 0."""
        y = graph.tensors[op.outputs[0]]
        return None if (y.scale, y.zero_point) == (1 / 128, 0) else f"got {y.scale:g}, {y.zero_point}"


class LogSoftmax(ElementwiseSpec):
    """Logarithm of the softmax."""

    kind = "LOG_SOFTMAX"

    def constraint_size(self, graph: Graph, op: Op) -> str | None:
        """The rows have from 1 to 2048 elements."""
        shape = graph.tensors[op.inputs[0]].shape
        return None if shape and shape[-1] <= 2048 else f"got rows of {shape[-1] if shape else 0}"

    def constraint_input_scale(self, graph: Graph, op: Op) -> str | None:
        """The input scale is from 2^-12 to 2^5."""
        scale = graph.tensors[op.inputs[0]].scale
        return None if 2**-12 <= scale <= 2**5 else f"got {scale:g}"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output has scale 1/16 and zero point 127."""
        y = graph.tensors[op.outputs[0]]
        return None if (y.scale, y.zero_point) == (1 / 16, 127) else f"got {y.scale:g}, {y.zero_point}"
