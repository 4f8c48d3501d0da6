"""SOFTMAX over the last dimension."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import ElementwiseSpec, attrs_of


@dataclass(frozen=True, slots=True)
class SoftmaxAttrs(Attrs):
    """Attributes of SOFTMAX: ``beta`` is the float32 factor of the logits."""

    beta: float = 1.0


class Softmax(ElementwiseSpec):
    """Softmax."""

    kind = "SOFTMAX"
    attrs_type = SoftmaxAttrs

    def constraint_beta(self, graph: Graph, op: Op) -> str | None:
        """Beta is a positive number, and the rows have from 1 to 4096 elements."""
        beta, shape = attrs_of(op, SoftmaxAttrs).beta, graph.tensors[op.inputs[0]].shape
        if not (math.isfinite(beta) and beta > 0):
            return f"got beta {beta:g}"
        return None if shape and shape[-1] <= 4096 else f"got rows of {shape[-1] if shape else 0}"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """Beta times the input scale is more than 2^-26, the unit of TFLite's fixed-point differences."""
        product = attrs_of(op, SoftmaxAttrs).beta * graph.tensors[op.inputs[0]].scale
        return None if product * 2**26 > 1 else f"got {product:g}"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output has scale 1/256 and zero point -128."""
        y = graph.tensors[op.outputs[0]]
        return None if (y.scale, y.zero_point) == (1 / 256, -128) else f"got {y.scale:g}, {y.zero_point}"
