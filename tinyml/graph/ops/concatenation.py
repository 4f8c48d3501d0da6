"""CONCATENATION along one axis."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation
from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class ConcatenationAttrs(Attrs):
    """Attributes of CONCATENATION; inputs are the parts, some may be constant. ``axis`` is not negative."""

    axis: int = 0
    activation: Activation = Activation.NONE


class Concatenation(OpSpec):
    """Parts one after the other."""

    kind = "CONCATENATION"
    attrs_type = ConcatenationAttrs
