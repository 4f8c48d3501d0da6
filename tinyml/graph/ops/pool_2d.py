"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import (
    SCALE_TOLERANCE,
    Int8Spec,
    attrs_of,
    different_quantisation,
    image_facts,
    shape_text,
    step_facts,
    window_facts,
)


@dataclass(frozen=True, slots=True)
class PoolAttrs(Attrs):
    """Attributes of the pools; the only input is x [1,H,W,C]. Padding is resolved; padded elements are left out."""

    filter_h: int = 1
    filter_w: int = 1
    stride_h: int = 1
    stride_w: int = 1
    pad_top: int = 0
    pad_bottom: int = 0
    pad_left: int = 0
    pad_right: int = 0
    activation: Activation = Activation.NONE


class PoolSpec(Int8Spec):
    """What both pools share."""

    attrs_type = PoolAttrs

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Input and output have the same zero point and scales within 1e-6 of each other."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        near = x.zero_point == y.zero_point and abs(x.scale - y.scale) <= SCALE_TOLERANCE
        return None if near else different_quantisation(x, y)

    def constraint_image(self, graph: Graph, op: Op) -> str | None:
        """The input is [1, H, W, C] and the output [1, H, W, C] with as many channels."""
        x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
        facts = image_facts(graph, op)
        return facts or (None if x[3] == y[3] else f"got {shape_text(x)} to {shape_text(y)}")

    def constraint_steps(self, graph: Graph, op: Op) -> str | None:
        """Strides and the window's sides are from 1 to 4096."""
        a = attrs_of(op, PoolAttrs)
        return step_facts(stride_h=a.stride_h, stride_w=a.stride_w, filter_h=a.filter_h, filter_w=a.filter_w)

    def constraint_padding(self, graph: Graph, op: Op) -> str | None:
        """Padding is smaller than the window, so that every window holds an element."""
        a = attrs_of(op, PoolAttrs)
        rows, columns = max(a.pad_top, a.pad_bottom), max(a.pad_left, a.pad_right)
        return None if rows < a.filter_h and columns < a.filter_w else f"got padding {rows} and {columns}"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output's height and width are those that the window and the padding give."""
        a = attrs_of(op, PoolAttrs)
        return window_facts(graph, op, (a.filter_h, a.filter_w), a, (1, 1))


class AveragePool2D(PoolSpec):
    """Average of windows."""

    kind = "AVERAGE_POOL_2D"


class MaxPool2D(PoolSpec):
    """Maximum of windows."""

    kind = "MAX_POOL_2D"
