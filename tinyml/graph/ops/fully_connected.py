"""FULLY_CONNECTED: per-tensor and per-channel weights, with or without bias."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation, Graph, Op, Rounding
from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class FullyConnectedAttrs(Attrs):
    """Attributes of FULLY_CONNECTED; inputs are (x, weights [O,I], bias [O] or ABSENT), batch = x.elements / I."""

    activation: Activation = Activation.NONE
    keep_num_dims: bool = False
    rounding: Rounding = Rounding.SINGLE


class FullyConnected(OpSpec):
    """Dense layer."""

    kind = "FULLY_CONNECTED"
    attrs_type = FullyConnectedAttrs

    def macs(self, graph: Graph, op: Op) -> int:
        """Output elements times inputs."""
        return graph.tensor(op.outputs[0]).elements * graph.tensor(op.inputs[1]).shape[-1]
