"""SOFTMAX on ``tml_softmax``: the exponentials of the at most 256 differences to a row's maximum are a table.

Sources: TFLite ``kernels/internal/reference/softmax.h``, ``quantization_util.cc`` (PreprocessSoftmaxScaling,
CalculateInputRadius); gemmlowp ``fixedpoint/fixedpoint.h`` (exp_on_negative_values).
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from tinyml.graph.fixed_point import (
    INT32_MAX,
    high_mul,
    quantize_multiplier,
    rounding_shift,
    saturating_left_shift,
    wrap32,
)
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import SoftmaxAttrs
from tinyml.lower.ops.common import first_input, make_step
from tinyml.lower.program import Const, ConstRef, In, Int, Out, Role, Step, Target

_INTEGER_BITS = 5
_FRACTION_BITS = 31 - _INTEGER_BITS
_EXP_OF_POWERS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""``exp(-2^k)`` as Q0.31."""


def _exp_near_zero(a: int) -> int:
    """gemmlowp's exp_on_interval_between_negative_one_quarter_and_0_excl: Q0.31 to Q0.31, a Taylor series at -1/8."""
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4_over_4 = rounding_shift(high_mul(x2, x2), 2)
    tail = rounding_shift(high_mul(x4_over_4 + x3, 715827883) + x2, 1)
    return 1895147668 + high_mul(1895147668, x + tail)


def exp_on_negative_values(a: int) -> int:
    """gemmlowp's function of that name: ``exp`` of a Q5.26 number that is not positive, as Q0.31."""
    if a == 0:
        return INT32_MAX
    quarter = 1 << (_FRACTION_BITS - 2)
    modulo = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(saturating_left_shift(modulo, _INTEGER_BITS))
    remainder = modulo - a
    for exponent, multiplier in _EXP_OF_POWERS:
        if remainder & (1 << (_FRACTION_BITS + exponent)):
            result = high_mul(result, multiplier)
    return result


def difference_multiplier(input_scale: float, beta: float) -> tuple[int, int]:
    """PreprocessSoftmaxScaling: what brings differences of logits to Q5.26."""
    return quantize_multiplier(min(beta * input_scale * (1 << _FRACTION_BITS), 2.0**31 - 1.0))


def exponentials(input_scale: float, beta: float) -> list[int]:
    """``exp(-d * scale * beta)`` as Q0.31 for d = 0, 1, … as long as TFLite does not take it for zero."""
    multiplier, left_shift = difference_multiplier(input_scale, beta)
    radius = math.floor(((1 << _INTEGER_BITS) - 1) * (1 << _FRACTION_BITS) / (1 << left_shift))
    return [exp_on_negative_values(high_mul(wrap32(-d << left_shift), multiplier)) for d in range(min(radius, 255) + 1)]


def _felt_exponentials(input_scale: float, beta: float) -> list[int]:
    """Those of :func:`exponentials` that can change an int8 output; they fall, so that the others end the table.

    An exponential below 2^11 adds nothing to the row's sum, which takes it shifted right by 12 with rounding, and
    comes out as zero: times a reciprocal of at most 1, shifted right by 23 or more.
    """
    return [value for value in exponentials(input_scale, beta) if value >= 1 << 11]


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step; a row is read twice before it is written, so that it is correct in place."""
    x = first_input(graph, op)
    table = _felt_exponentials(x.scale, cast(SoftmaxAttrs, op.attrs).beta)
    depth = x.shape[-1]
    return make_step(
        graph,
        op,
        kernel="tml_softmax",
        header="tml_softmax.h",
        inputs=op.inputs[:1],
        in_place=((0, 0),),
        args=(
            In(0),
            Out(0),
            ConstRef(0),
            Int("entries", len(table)),
            Int("rows", x.elements // depth),
            Int("depth", depth),
        ),
        consts=(Const("exponentials", np.array(table, np.int32), Role.TABLE),),
    )
