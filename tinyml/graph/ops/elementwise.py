"""Functions of one int8: LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU, RELU, RELU6, RELU_N1_TO_1."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import ElementwiseSpec, attrs_of, multiplier_facts


@dataclass(frozen=True, slots=True)
class LeakyReluAttrs(Attrs):
    """Attributes of LEAKY_RELU: ``alpha`` is the float32 slope of negative inputs."""

    alpha: float = 0.0


class CurveSpec(ElementwiseSpec):
    """A function that TFLite computes from the input in fixed point, whatever its scale."""

    def constraint_input_scale(self, graph: Graph, op: Op) -> str | None:
        """The input scale is from 2^-24 to 2^16."""
        scale = graph.tensors[op.inputs[0]].scale
        return None if 2**-24 <= scale <= 2**16 else f"got {scale:g}"


class RescalingSpec(ElementwiseSpec):
    """A function whose output has a scale of its own."""

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """Input scale divided by output scale is below 2^30."""
        return multiplier_facts(graph.tensors[op.inputs[0]].scale / graph.tensors[op.outputs[0]].scale)


class SigmoidalSpec(CurveSpec):
    """A function that is flat beyond a few units and that TFLite computes in float32: scales far below its step occur.

    A squeeze-and-excitation block whose units are all dead has its gate's input calibrated on zeros.
    """

    def constraint_input_scale(self, graph: Graph, op: Op) -> str | None:
        """The input scale is from 2^-64 to 2^16."""
        scale = graph.tensors[op.inputs[0]].scale
        return None if 2**-64 <= scale <= 2**16 else f"got {scale:g}"


class Logistic(SigmoidalSpec):
    """Sigmoid."""

    kind = "LOGISTIC"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output has scale 1/256 and zero point -128."""
        y = graph.tensors[op.outputs[0]]
        return None if (y.scale, y.zero_point) == (1 / 256, -128) else f"got {y.scale:g}, {y.zero_point}"


class Tanh(SigmoidalSpec):
    """Hyperbolic tangent."""

    kind = "TANH"

    def constraint_output(self, graph: Graph, op: Op) -> str | None:
        """The output has scale 1/128 and zero point 0."""
        y = graph.tensors[op.outputs[0]]
        return None if (y.scale, y.zero_point) == (1 / 128, 0) else f"got {y.scale:g}, {y.zero_point}"


class HardSwish(CurveSpec):
    """``x * relu6(x + 3) / 6``."""

    kind = "HARD_SWISH"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """The input scale is less than 128 output scales."""
        multiplier = graph.tensors[op.inputs[0]].scale / graph.tensors[op.outputs[0]].scale
        return None if 0 < multiplier < 128 else f"it is {multiplier:g} output scales"


class LeakyRelu(RescalingSpec):
    """``x`` where positive, ``alpha * x`` elsewhere."""

    kind = "LEAKY_RELU"
    attrs_type = LeakyReluAttrs

    def constraint_alpha(self, graph: Graph, op: Op) -> str | None:
        """Alpha is positive, and times the input scale divided by the output scale it is below 2^30."""
        alpha = attrs_of(op, LeakyReluAttrs).alpha
        if not (math.isfinite(alpha) and alpha > 0):
            return f"got {alpha:g}"
        return multiplier_facts(alpha * graph.tensors[op.inputs[0]].scale / graph.tensors[op.outputs[0]].scale)


class Relu(RescalingSpec):
    """``max(x, 0)``."""

    kind = "RELU"


class Relu6(RescalingSpec):
    """``min(max(x, 0), 6)``."""

    kind = "RELU6"


class ReluN1To1(RescalingSpec):
    """``min(max(x, -1), 1)``."""

    kind = "RELU_N1_TO_1"
