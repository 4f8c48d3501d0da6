"""CONCATENATION along one axis."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import ABSENT, Activation, DType, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, all_of, attrs_of, different_quantisation, shape_text


@dataclass(frozen=True, slots=True)
class ConcatenationAttrs(Attrs):
    """Attributes of CONCATENATION; inputs are the parts, some may be constant. ``axis`` is not negative."""

    axis: int = 0
    activation: Activation = Activation.NONE


class Concatenation(Int8Spec):
    """Parts one after the other."""

    kind = "CONCATENATION"
    attrs_type = ConcatenationAttrs
    inputs_max = 1000

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """Inputs and output are int8 with one scale and one zero point, or all of them int32, int64 or bool."""
        if all_of(graph, op, DType.INT32, DType.INT64, DType.BOOL):
            return None
        return super().constraint_int8(graph, op)

    def constraint_inputs(self, graph: Graph, op: Op) -> str | None:
        """No input is absent."""
        return "one is" if ABSENT in op.inputs else None

    def constraint_activation(self, graph: Graph, op: Op) -> str | None:
        """There is no fused activation."""
        activation = attrs_of(op, ConcatenationAttrs).activation
        return None if activation is Activation.NONE else f"got {activation.value}"

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Inputs and output have the same scale and zero point."""
        y = graph.tensors[op.outputs[0]]
        return next(filter(None, (different_quantisation(graph.tensors[i], y) for i in op.inputs)), None)

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """All shapes are equal but along the axis, where the inputs' sizes add up to the output's."""
        axis, y = attrs_of(op, ConcatenationAttrs).axis, graph.tensors[op.outputs[0]].shape
        shapes = [graph.tensors[i].shape for i in op.inputs]
        if any(len(s) != len(y) or not 0 <= axis < len(y) for s in shapes):
            return f"got {', '.join(map(shape_text, shapes[:8]))} to {shape_text(y)} along {axis}"
        same = all(s[:axis] == y[:axis] and s[axis + 1 :] == y[axis + 1 :] for s in shapes)
        if same and sum(s[axis] for s in shapes) == y[axis]:
            return None
        return f"got {', '.join(map(shape_text, shapes[:8]))} to {shape_text(y)} along {axis}"


class Pack(Concatenation):
    """Tensors of one shape along a new axis."""

    kind = "PACK"

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """All inputs have one shape, the output that with their number inserted at the axis."""
        axis, y = attrs_of(op, ConcatenationAttrs).axis, graph.tensors[op.outputs[0]].shape
        shapes = {graph.tensors[i].shape for i in op.inputs}
        same = len(shapes) == 1 and 0 <= axis < len(y) and y[axis] == len(op.inputs)
        if same and (*y[:axis], *y[axis + 1 :]) in shapes:
            return None
        return f"got {', '.join(map(shape_text, sorted(shapes)[:8]))} to {shape_text(y)} along {axis}"
