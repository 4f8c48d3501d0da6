"""RESIZE_BILINEAR."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, attrs_of, different_quantisation, image_facts, shape_text

MAX_SIZE = 4096


@dataclass(frozen=True, slots=True)
class ResizeBilinearAttrs(Attrs):
    """Attributes of RESIZE_BILINEAR; the only input is x [1,H,W,C], the size is the output's."""

    align_corners: bool = False
    half_pixel_centers: bool = False


class ResizeBilinear(Int8Spec):
    """Bilinear interpolation to another height and width."""

    kind = "RESIZE_BILINEAR"
    attrs_type = ResizeBilinearAttrs

    def constraint_image(self, graph: Graph, op: Op) -> str | None:
        """The input is [1, H, W, C] and the output [1, H, W, C]."""
        return image_facts(graph, op)

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """Input and output have the same channels, and heights and widths of at most 4096."""
        x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
        fits = x[3] == y[3] and max(*x[1:3], *y[1:3]) <= MAX_SIZE
        return None if fits else f"got {shape_text(x)} to {shape_text(y)}"

    def constraint_centers(self, graph: Graph, op: Op) -> str | None:
        """At most one of align_corners and half_pixel_centers is set."""
        attrs = attrs_of(op, ResizeBilinearAttrs)
        return "both are" if attrs.align_corners and attrs.half_pixel_centers else None

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Input and output have the same scale and zero point."""
        return different_quantisation(graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]])
