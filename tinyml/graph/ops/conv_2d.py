"""CONV_2D: any kernel, stride, dilation and padding, with groups."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class Conv2DAttrs(Attrs):
    """Attributes of CONV_2D; inputs are (x [1,H,W,C], weights [O,KH,KW,C/groups], bias [O] or ABSENT).

    Padding is in input rows and columns, already resolved from SAME or VALID.
    """

    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1
    pad_top: int = 0
    pad_bottom: int = 0
    pad_left: int = 0
    pad_right: int = 0
    groups: int = 1
    activation: Activation = Activation.NONE


class Conv2D(OpSpec):
    """2-D convolution."""

    kind = "CONV_2D"
    attrs_type = Conv2DAttrs

    def macs(self, graph: Graph, op: Op) -> int:
        """Output elements times the kernel's height, width and input channels a group."""
        weights = graph.tensor(op.inputs[1])
        return graph.tensor(op.outputs[0]).elements * (weights.elements // weights.shape[0])
