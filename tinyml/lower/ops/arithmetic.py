"""SQUARED_DIFFERENCE and PRELU with NumPy's broadcasting, DIV by a number as a table.

Sources: TFLite ``kernels/squared_difference.cc``, ``kernels/activations.cc`` (PreluPrepare), ``reference/prelu.h``,
``kernels/div.cc``, ``reference/div.h``, ``kernels/internal/common.h`` (GetReciprocal, CountLeadingSignBits).
"""

from __future__ import annotations

import numpy as np

from tinyml.graph.fixed_point import high_mul, quantize_multiplier, rounding_shift, saturating_left_shift, wrap32
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.arithmetic import quotient_multiplier
from tinyml.graph.quantisation import dtype_range
from tinyml.lower.ops.binary import broadcast_step
from tinyml.lower.ops.common import constant, first_input, first_output
from tinyml.lower.ops.tables import Table, clamp, input_values
from tinyml.lower.program import Step, Target

_LEFT_SHIFT = 7


def build_squared_difference(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of SQUARED_DIFFERENCE."""
    scale_a, scale_b = graph.tensor(op.inputs[0]).scale, graph.tensor(op.inputs[1]).scale
    twice_max = 2 * max(scale_a, scale_b)
    multiplier_a, shift_a = quantize_multiplier(scale_a / twice_max)
    multiplier_b, shift_b = quantize_multiplier(scale_b / twice_max)
    out_multiplier, out_shift = quantize_multiplier(
        twice_max * twice_max / (2.0 ** (2 * _LEFT_SHIFT) * first_output(graph, op).scale)
    )
    multipliers = {
        "a_multiplier": multiplier_a, "a_shift": shift_a,
        "b_multiplier": multiplier_b, "b_shift": shift_b,
        "out_multiplier": out_multiplier, "out_shift": out_shift,
    }  # fmt: skip
    return broadcast_step(graph, op, "tml_squared_difference", "tml_arithmetic.h", multipliers)


def prelu_multipliers(graph: Graph, op: Op) -> tuple[tuple[int, int], tuple[int, int]]:
    """Multiplier and shift of PRELU above and below zero; TFLite computes both effective scales in float32."""
    x, alpha, out = (np.float32(graph.tensor(i).scale) for i in (*op.inputs, op.outputs[0]))
    return quantize_multiplier(float(x / out)), quantize_multiplier(float(x * alpha / out))


def build_prelu(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of PRELU."""
    (positive, positive_shift), (negative, negative_shift) = prelu_multipliers(graph, op)
    multipliers = {
        "positive_multiplier": positive, "positive_shift": positive_shift,
        "negative_multiplier": negative, "negative_shift": negative_shift,
    }  # fmt: skip
    return broadcast_step(graph, op, "tml_prelu", "tml_arithmetic.h", multipliers)


def one_over_one_plus(x: int) -> int:
    """gemmlowp's one_over_one_plus_x_for_x_in_0_1, Q0.31: three steps of Newton and Raphson."""
    half = (x + 2**31) // 2
    y = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        y = wrap32(y + saturating_left_shift(high_mul(y, (1 << 29) - high_mul(half, y)), 2))
    return saturating_left_shift(y, 1)


def _leading_sign_bits(value: int) -> int:
    return 31 - value.bit_length() if value >= 0 else 32 - (-2 * value - 1).bit_length()


def quotients(graph: Graph, op: Op) -> Table:
    """DIV of every value of the input by the op's constant."""
    x, output, divisor_tensor = first_input(graph, op), first_output(graph, op), graph.tensor(op.inputs[1])
    divisor = int(constant(graph, op, 1).reshape(-1)[0]) - divisor_tensor.zero_point
    sign, magnitude = (1, divisor) if divisor > 0 else (-1, -divisor)
    bits = magnitude.bit_length()
    inverse = one_over_one_plus((magnitude << (32 - bits)) - 2**31)
    multiplier, shift = quotient_multiplier(graph, op)
    table = []
    for value in input_values(x):
        centred = sign * (value - x.zero_point)
        headroom = _leading_sign_bits(centred)
        quotient = high_mul(wrap32(centred << headroom), inverse)
        scaled = rounding_shift(high_mul(quotient, multiplier), bits - 1 + headroom - shift)
        table.append(clamp(scaled + output.zero_point, dtype_range(output.dtype)))
    return table
