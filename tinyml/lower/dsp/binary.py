"""ADD and SUB of equal shapes on ``tml_linear_sum_dsp``: one linear function, proven on every pair of operands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import BinaryAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.dsp.requant import Ints64
from tinyml.lower.ops.binary import in_place, sum_multipliers
from tinyml.lower.ops.common import first_output, make_step
from tinyml.lower.program import Arg, In, Int, Out, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_LEFT_SHIFT = 20
_MOST_SHIFT = 24
_NUDGES = 3
NO_LINE = "no linear function equals TFLite's three roundings for all 65,536 pairs of operands"


@dataclass(frozen=True, slots=True)
class Sum:
    """What TFLite's ADD or SUB needs to know; ``sign`` is -1 for SUB. Scales are (multiplier, shift)."""

    zero_a: int
    zero_b: int
    zero_out: int
    low: int
    high: int
    scale_a: tuple[int, int]
    scale_b: tuple[int, int]
    scale_out: tuple[int, int]
    sign: int


@dataclass(frozen=True, slots=True)
class Linear:
    """``(offset + (mul_a * 256 * a >> 16) + (mul_b * 256 * b >> 16)) >> shift``, then saturated."""

    mul_a: int
    mul_b: int
    offset: int
    shift: int


def describe(graph: Graph, op: Op) -> Sum:
    """The numbers of an ADD or SUB."""
    output = first_output(graph, op)
    clamps = activation_range(cast(BinaryAttrs, op.attrs).activation, output)
    m = sum_multipliers(graph, op)
    return Sum(
        graph.tensor(op.inputs[0]).zero_point, graph.tensor(op.inputs[1]).zero_point, output.zero_point,
        clamps.low, clamps.high, (m["a_multiplier"], m["a_shift"]), (m["b_multiplier"], m["b_shift"]),
        (m["out_multiplier"], m["out_shift"]), 1 if op.kind == "ADD" else -1,
    )  # fmt: skip


def _scaled(values: Ints64, scale: tuple[int, int]) -> Ints64:
    """TFLite's MultiplyByQuantizedMultiplier on an array, for shifts that are not positive."""
    multiplier, shift = scale
    high = (values * multiplier + (1 << 30)) >> 31
    if shift == 0:
        return high
    return (high + (1 << (-shift - 1)) - (high < 0)) >> -shift


def exact(numbers: Sum) -> Ints64:
    """The outputs [a, b] of all pairs of operands from -128 to 127 (TFLite ``reference/integer_ops/add.h``)."""
    x = np.arange(-128, 128, dtype=np.int64)
    a = _scaled((x - numbers.zero_a) << _LEFT_SHIFT, numbers.scale_a)
    b = _scaled((x - numbers.zero_b) << _LEFT_SHIFT, numbers.scale_b)
    total = _scaled(a[:, None] + numbers.sign * b[None, :], numbers.scale_out) + numbers.zero_out
    return np.clip(total, numbers.low, numbers.high)


@lru_cache(maxsize=256)
def linear(numbers: Sum) -> Linear | None:
    """A linear function that equals TFLite's on every pair; None where none is found.

    For given multipliers each pair bounds the offset from both sides, so that the offsets that hold are an interval.
    It is empty where halves round away from zero on both sides, as they do for scales in simple proportions.
    """
    if max(numbers.scale_a[1], numbers.scale_b[1], numbers.scale_out[1]) > 0:
        return None
    factor_out = float(np.ldexp(numbers.scale_out[0], numbers.scale_out[1] - 31 + _LEFT_SHIFT))
    factor_a = float(np.ldexp(numbers.scale_a[0], numbers.scale_a[1] - 31)) * factor_out
    factor_b = float(np.ldexp(numbers.scale_b[0], numbers.scale_b[1] - 31)) * factor_out * numbers.sign
    largest = (abs(factor_a) + abs(factor_b)) * 256 + 256
    fits = [s for s in range(1, _MOST_SHIFT + 1) if largest * 2**s < 2**31]
    fits = [s for s in fits if max(abs(factor_a), abs(factor_b)) * 2 ** (s + 8) < 2**31 - _NUDGES]
    if not fits:
        return None
    shift = fits[-1]
    wanted = exact(numbers)
    mul_a, mul_b = round(factor_a * 2 ** (shift + 8)), round(factor_b * 2 ** (shift + 8))
    nudges = sorted(range(-_NUDGES, _NUDGES + 1), key=abs)
    for nudge_a, nudge_b in sorted(((i, j) for i in nudges for j in nudges), key=lambda n: abs(n[0]) + abs(n[1])):
        offset = _offset(numbers, wanted, mul_a + nudge_a, mul_b + nudge_b, shift)
        if offset is not None:
            return Linear(mul_a + nudge_a, mul_b + nudge_b, offset, shift)
    return None


def _offset(numbers: Sum, wanted: Ints64, mul_a: int, mul_b: int, shift: int) -> int | None:
    x = np.arange(-128, 128, dtype=np.int64) * 256
    products = (mul_a * x >> 16)[:, None] + (mul_b * x >> 16)[None, :]
    from_below = np.where(wanted > numbers.low, (wanted << shift) - products, -(2**62)).max()
    from_above = np.where(wanted < numbers.high, ((wanted + 1) << shift) - 1 - products, 2**62).min()
    if from_below > from_above:
        return None
    offset = int(from_below + from_above) // 2
    ends = (offset + int(products.min()), offset + int(products.max()))
    first = [offset + int((mul_a * x >> 16).min()), offset + int((mul_a * x >> 16).max())]
    return offset if all(-(2**31) <= end < 2**31 for end in (offset, *ends, *first)) else None


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Two activations of the output's shape, and a linear function that is exact for every pair of operands."""
    tensors = [graph.tensor(i) for i in op.inputs]
    if any(t.data is not None for t in tensors):
        return unfit("a constant operand")
    if any(t.shape != first_output(graph, op).shape for t in tensors):
        return unfit("operands of different shapes")
    return APPLIES if linear(describe(graph, op)) is not None else unproven(NO_LINE)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ADD or SUB, in place over either operand."""
    numbers = describe(graph, op)
    found = linear(numbers)
    assert found is not None
    output = first_output(graph, op)
    inputs = tuple(dict.fromkeys(op.inputs))
    ints: dict[str, int] = {
        "elements": output.elements, "mul_a": found.mul_a, "mul_b": found.mul_b, "offset": found.offset,
        "shift": found.shift, "out_min": numbers.low, "out_max": numbers.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        *(In(inputs.index(i)) for i in op.inputs), Out(0), *(Int(k, v) for k, v in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_linear_sum_dsp", header="tml_binary_dsp.h", inputs=inputs, args=args,
        in_place=in_place(graph, inputs, output),
    )  # fmt: skip
