"""DEPTHWISE_CONV_2D: any kernel, stride, dilation, padding and depth multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import attrs_of, image_facts, shape_text, step_facts, window_facts
from tinyml.graph.ops.convolution import WeightedSpec


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


class DepthwiseConv2D(WeightedSpec):
    """2-D depthwise convolution."""

    kind = "DEPTHWISE_CONV_2D"
    attrs_type = DepthwiseConv2DAttrs
    channel_axis: ClassVar[int] = 3

    def constraint_image(self, graph: Graph, op: Op) -> str | None:
        """The input is [1, H, W, C] and the output [1, H, W, C]."""
        return image_facts(graph, op)

    def constraint_steps(self, graph: Graph, op: Op) -> str | None:
        """Strides and dilations are from 1 to 4096."""
        a = attrs_of(op, DepthwiseConv2DAttrs)
        return step_facts(stride_h=a.stride_h, stride_w=a.stride_w, dilation_h=a.dilation_h, dilation_w=a.dilation_w)

    def constraint_channels(self, graph: Graph, op: Op) -> str | None:
        """The weights are [1, KH, KW, C * multiplier] and the output has C * multiplier channels."""
        x, y, weights = (graph.tensors[i] for i in (op.inputs[0], op.outputs[0], op.inputs[1]))
        multiplier = attrs_of(op, DepthwiseConv2DAttrs).multiplier
        if multiplier >= 1 and weights.shape[0] == 1 and weights.shape[3] == x.shape[3] * multiplier == y.shape[3]:
            return None
        return f"got {shape_text(weights.shape)} weights for {shape_text(x.shape)} to {shape_text(y.shape)}"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output's height and width are those that the window and the padding give."""
        a, weights = attrs_of(op, DepthwiseConv2DAttrs), graph.tensors[op.inputs[1]]
        return window_facts(graph, op, weights.shape[1:3], a, (a.dilation_h, a.dilation_w))

    def macs(self, graph: Graph, op: Op) -> int:
        """Output elements times the kernel's height and width."""
        _, kernel_h, kernel_w, _ = graph.tensor(op.inputs[1]).shape
        return graph.tensor(op.outputs[0]).elements * kernel_h * kernel_w
