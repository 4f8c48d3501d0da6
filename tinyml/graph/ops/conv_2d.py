"""CONV_2D: any kernel, stride, dilation and padding, with groups."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import attrs_of, image_facts, shape_text, step_facts, window_facts
from tinyml.graph.ops.convolution import WeightedSpec


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


class Conv2D(WeightedSpec):
    """2-D convolution."""

    kind = "CONV_2D"
    attrs_type = Conv2DAttrs

    def constraint_image(self, graph: Graph, op: Op) -> str | None:
        """The input is [1, H, W, C] and the output [1, H, W, C]."""
        return image_facts(graph, op)

    def constraint_steps(self, graph: Graph, op: Op) -> str | None:
        """Strides and dilations are from 1 to 4096."""
        a = attrs_of(op, Conv2DAttrs)
        return step_facts(stride_h=a.stride_h, stride_w=a.stride_w, dilation_h=a.dilation_h, dilation_w=a.dilation_w)

    def constraint_channels(self, graph: Graph, op: Op) -> str | None:
        """The weights are [O, KH, KW, C / groups], the output has O channels, and groups divides both C and O."""
        x, y, weights = (graph.tensors[i] for i in (op.inputs[0], op.outputs[0], op.inputs[1]))
        groups = attrs_of(op, Conv2DAttrs).groups
        channels_out, _, _, channels_in = weights.shape
        if groups >= 1 and channels_in * groups == x.shape[3] and channels_out % groups == 0:
            return None if y.shape[3] == channels_out else f"got {channels_out} filters for {shape_text(y.shape)}"
        return f"got {shape_text(weights.shape)} weights for {x.shape[3]} channels in {groups} groups"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output's height and width are those that the window and the padding give."""
        a, weights = attrs_of(op, Conv2DAttrs), graph.tensors[op.inputs[1]]
        return window_facts(graph, op, weights.shape[1:3], a, (a.dilation_h, a.dilation_w))

    def macs(self, graph: Graph, op: Op) -> int:
        """Output elements times the kernel's height, width and input channels a group."""
        weights = graph.tensor(op.inputs[1])
        return graph.tensor(op.outputs[0]).elements * (weights.elements // weights.shape[0])
