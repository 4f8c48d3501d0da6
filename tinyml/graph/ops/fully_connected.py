"""FULLY_CONNECTED: per-tensor and per-channel weights, with or without bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyml.graph.ir import ABSENT, Activation, Graph, Op, Rounding
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import attrs_of, shape_text
from tinyml.graph.ops.convolution import WeightedSpec


@dataclass(frozen=True, slots=True)
class FullyConnectedAttrs(Attrs):
    """Attributes of FULLY_CONNECTED; inputs are (x, weights [O,I], bias [O] or ABSENT), batch = x.elements / I."""

    activation: Activation = Activation.NONE
    keep_num_dims: bool = False
    rounding: Rounding = Rounding.SINGLE


class FullyConnected(WeightedSpec):
    """Dense layer."""

    kind = "FULLY_CONNECTED"
    attrs_type = FullyConnectedAttrs
    weights_rank: ClassVar[int] = 2

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The weights are [O, I], I divides the input's size, the output is [batch, O] or the input's with O last."""
        x, y, weights = (graph.tensors[i] for i in (op.inputs[0], op.outputs[0], op.inputs[1]))
        channels_out, channels_in = weights.shape
        if not x.shape or x.elements % channels_in:
            return f"got {shape_text(weights.shape)} weights for {shape_text(x.shape)}"
        if attrs_of(op, FullyConnectedAttrs).keep_num_dims:
            wanted = (*x.shape[:-1], channels_out)
            if x.shape[-1] != channels_in:
                return f"got {shape_text(weights.shape)} weights for {shape_text(x.shape)}"
        else:
            wanted = (x.elements // channels_in, channels_out)
        return None if y.shape == wanted else f"got {shape_text(y.shape)} for {shape_text(wanted)}"

    def constraint_bias_scale(self, graph: Graph, op: Op) -> str | None:
        """With one weight scale, the bias scale is the input's times the weights' to 2 % of the output's scale."""
        weights = graph.tensors[op.inputs[1]]
        if op.inputs[2] == ABSENT or weights.quant is None or weights.quant.per_channel:
            return None
        bias, product = graph.tensors[op.inputs[2]], graph.tensors[op.inputs[0]].scale * weights.scale
        if bias.quant is None or len(bias.quant.scales) != 1:
            return "the bias has no single scale"
        difference = abs(product - bias.scale)
        return None if difference <= 0.02 * graph.tensors[op.outputs[0]].scale else f"they differ by {difference:g}"

    def macs(self, graph: Graph, op: Op) -> int:
        """Output elements times inputs."""
        return graph.tensor(op.outputs[0]).elements * graph.tensor(op.inputs[1]).shape[-1]
