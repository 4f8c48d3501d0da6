"""PAD and PADV2 with constant paddings."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, attrs_of, different_quantisation, shape_text


@dataclass(frozen=True, slots=True)
class PadAttrs(Attrs):
    """Attributes of PAD and PADV2; the only input is x.

    ``paddings`` has (before, after) for each dimension, ``value`` is the int8 written there (PAD: the zero point).
    """

    paddings: tuple[tuple[int, int], ...] = ()
    value: int = 0


class Pad(Int8Spec):
    """Padding with the zero point."""

    kind = "PAD"
    attrs_type = PadAttrs

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Input and output have the same scale and zero point."""
        return different_quantisation(graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]])

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """Paddings are constant, not negative, a pair for each of at most 5 dimensions, and give the output's shape."""
        x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
        paddings = attrs_of(op, PadAttrs).paddings
        if len(paddings) != len(x) or len(x) > 5 or any(p < 0 for pair in paddings for p in pair):
            return f"got {list(paddings)} for {shape_text(x)}"
        wanted = tuple(size + before + after for size, (before, after) in zip(x, paddings, strict=True))
        return None if y == wanted else f"got {shape_text(y)} for {shape_text(wanted)}"

    def constraint_value(self, graph: Graph, op: Op) -> str | None:
        """The value padded with is an int8, for PAD the zero point."""
        value = attrs_of(op, PadAttrs).value
        wanted = graph.tensors[op.inputs[0]].zero_point if op.kind == "PAD" else value
        return None if -128 <= value <= 127 and value == wanted else f"got {value}"


class PadV2(Pad):
    """Padding with a constant."""

    kind = "PADV2"
