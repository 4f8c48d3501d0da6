"""Functions of one int8: LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU, RELU, RELU6, RELU_N1_TO_1."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class LeakyReluAttrs(Attrs):
    """Attributes of LEAKY_RELU: ``alpha`` is the float32 slope of negative inputs."""

    alpha: float = 0.0


class Logistic(OpSpec):
    """Sigmoid."""

    kind = "LOGISTIC"


class Tanh(OpSpec):
    """Hyperbolic tangent."""

    kind = "TANH"


class HardSwish(OpSpec):
    """``x * relu6(x + 3) / 6``."""

    kind = "HARD_SWISH"


class LeakyRelu(OpSpec):
    """``x`` where positive, ``alpha * x`` elsewhere."""

    kind = "LEAKY_RELU"
    attrs_type = LeakyReluAttrs


class Relu(OpSpec):
    """``max(x, 0)``."""

    kind = "RELU"


class Relu6(OpSpec):
    """``min(max(x, 0), 6)``."""

    kind = "RELU6"


class ReluN1To1(OpSpec):
    """``min(max(x, -1), 1)``."""

    kind = "RELU_N1_TO_1"
