"""SOFTMAX over the last dimension."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class SoftmaxAttrs(Attrs):
    """Attributes of SOFTMAX: ``beta`` is the float32 factor of the logits."""

    beta: float = 1.0


class Softmax(OpSpec):
    """Softmax."""

    kind = "SOFTMAX"
    attrs_type = SoftmaxAttrs
