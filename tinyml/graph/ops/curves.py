"""Further functions of one int8: GELU, EXP, LOG, RSQRT, SQRT, ABS."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import multiplier_facts
from tinyml.graph.ops.elementwise import CurveSpec, RescalingSpec


@dataclass(frozen=True, slots=True)
class GeluAttrs(Attrs):
    """Attributes of GELU: by tanh where ``approximate``, otherwise by the error function."""

    approximate: bool = False


class Gelu(CurveSpec):
    """``x * Phi(x)``, Phi being the normal distribution's."""

    kind = "GELU"
    attrs_type = GeluAttrs


class Exp(CurveSpec):
    """``e^x``."""

    kind = "EXP"


class Log(CurveSpec):
    """Natural logarithm, the smallest output value where x is not positive."""

    kind = "LOG"


class RootSpec(CurveSpec):
    """A root, which negative numbers have none of."""

    def constraint_sign(self, graph: Graph, op: Op) -> str | None:
        """The input's zero point is -128: TFLite stops where an input is negative."""
        zero_point = graph.tensors[op.inputs[0]].zero_point
        return None if zero_point == -128 else f"got {zero_point}"


class Rsqrt(RootSpec):
    """``1 / sqrt(x)``, the largest output value where x is zero."""

    kind = "RSQRT"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """The inverse of the output scale times the root of the input scale is below 2^30."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        return multiplier_facts(1 / (x.scale**0.5 * y.scale))


class Sqrt(RootSpec):
    """Square root."""

    kind = "SQRT"


class Abs(RescalingSpec):
    """Absolute value."""

    kind = "ABS"
