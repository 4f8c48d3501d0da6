"""TRANSPOSE_CONV: a convolution whose input is spread out by its stride."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import attrs_of, image_facts, shape_text, step_facts
from tinyml.graph.ops.convolution import WeightedSpec


@dataclass(frozen=True, slots=True)
class TransposeConvAttrs(Attrs):
    """Attributes of TRANSPOSE_CONV; inputs are (x [1,H,W,C], weights [O,KH,KW,C], bias [O] or ABSENT).

    Input row ``y`` adds to the output rows ``y * stride_h - pad_top + ky``; what lies outside of the output is dropped.
    """

    stride_h: int = 1
    stride_w: int = 1
    pad_top: int = 0
    pad_left: int = 0
    activation: Activation = Activation.NONE


class TransposeConv(WeightedSpec):
    """Transposed 2-D convolution."""

    kind = "TRANSPOSE_CONV"
    attrs_type = TransposeConvAttrs

    def constraint_image(self, graph: Graph, op: Op) -> str | None:
        """The input is [1, H, W, C] and the output [1, H, W, C]."""
        return image_facts(graph, op)

    def constraint_steps(self, graph: Graph, op: Op) -> str | None:
        """Strides are from 1 to 4096."""
        a = attrs_of(op, TransposeConvAttrs)
        return step_facts(stride_h=a.stride_h, stride_w=a.stride_w)

    def constraint_channels(self, graph: Graph, op: Op) -> str | None:
        """The weights are [O, KH, KW, C] and the output has O channels."""
        x, y, weights = (graph.tensors[i] for i in (op.inputs[0], op.outputs[0], op.inputs[1]))
        if weights.shape[3] == x.shape[3] and y.shape[3] == weights.shape[0]:
            return None
        return f"got {shape_text(weights.shape)} weights for {shape_text(x.shape)} to {shape_text(y.shape)}"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """Padding is less than the kernel, and the output at most what all input rows and columns reach."""
        a, x, y = attrs_of(op, TransposeConvAttrs), graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        weights = graph.tensors[op.inputs[1]]
        sides = zip(x.shape[1:3], y.shape[1:3], weights.shape[1:3], (a.stride_h, a.stride_w), strict=True)
        for (size, out, kernel, stride), pad in zip(sides, (a.pad_top, a.pad_left), strict=True):
            if not (0 <= pad < kernel and out <= (size - 1) * stride + max(kernel, stride) - pad):
                return f"{shape_text(x.shape)} with padding {a.pad_top}, {a.pad_left} gives {shape_text(y.shape)}"
        return None

    def macs(self, graph: Graph, op: Op) -> int:
        """Input elements times the kernel's height and width and the output's channels."""
        weights = graph.tensor(op.inputs[1])
        return graph.tensor(op.inputs[0]).elements * (weights.elements // weights.shape[3])
