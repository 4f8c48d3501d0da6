"""DEPTHWISE_CONV_2D: any kernel, stride, dilation, padding and depth multiplier."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class DepthwiseConv2DAttrs(Attrs):
    """Attributes of DEPTHWISE_CONV_2D; inputs are (x [1,H,W,C], weights [1,KH,KW,C*multiplier], bias or ABSENT).

    Padding is in input rows and columns, already resolved from SAME or VALID. Output channel ``o`` reads input
    channel ``o // multiplier``.
    """

    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1
    pad_top: int = 0
    pad_bottom: int = 0
    pad_left: int = 0
    pad_right: int = 0
    multiplier: int = 1
    activation: Activation = Activation.NONE


class DepthwiseConv2D(OpSpec):
    """2-D depthwise convolution."""

    kind = "DEPTHWISE_CONV_2D"
    attrs_type = DepthwiseConv2DAttrs

    def macs(self, graph: Graph, op: Op) -> int:
        """Output elements times the kernel's height and width."""
        _, kernel_h, kernel_w, _ = graph.tensor(op.inputs[1]).shape
        return graph.tensor(op.outputs[0]).elements * kernel_h * kernel_w
