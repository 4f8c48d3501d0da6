"""ADD, SUB and MUL with NumPy's broadcasting."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation
from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class BinaryAttrs(Attrs):
    """Attributes of ADD, SUB, MUL; inputs are (a, b), either may be constant."""

    activation: Activation = Activation.NONE


class Add(OpSpec):
    """Sum of two tensors."""

    kind = "ADD"
    attrs_type = BinaryAttrs


class Sub(OpSpec):
    """Difference of two tensors."""

    kind = "SUB"
    attrs_type = BinaryAttrs


class Mul(OpSpec):
    """Product of two tensors."""

    kind = "MUL"
    attrs_type = BinaryAttrs
