"""ADD and SUB as one linear function of both operands, proven on every pair of them.

TFLite rounds three times. Where ``(mul_a * a + mul_b * b + offset) >> shift`` crosses every level between the same
operands it is exact; each instruction set has its own arithmetic for it (:class:`Arithmetic`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import BinaryAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.binary import in_place, sum_multipliers
from tinyml.lower.ops.common import first_output, make_step, operand_runs, runs
from tinyml.lower.program import Arg, In, Int, Out, Step
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

Ints64 = npt.NDArray[np.int64]

NO_LINE = "no linear function equals TFLite's three roundings for all 65,536 pairs of operands"
_LEFT_SHIFT = 20


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
    """The products of ``mul_a`` and ``mul_b`` and ``offset``, summed and shifted right, then saturated."""

    mul_a: int
    mul_b: int
    offset: int
    shift: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How an instruction set computes a linear function.

    ``shifts`` gives those to try, in order, for the factors of both operands; ``fraction_bits`` is by how much more the
    multipliers are scaled than the sum; ``product`` is an operand's product with its multiplier; ``fits`` says whether
    no intermediate leaves the registers, from the function and the products of either operand. Multipliers are tried up
    to ``nudges`` from the nearest. ``above`` is added to outputs.
    """

    shifts: Callable[[float, float], Sequence[int]]
    product: Callable[[int, Ints64], Ints64]
    fits: Callable[[Linear, Ints64, Ints64], bool]
    nudges: int
    fraction_bits: int = 0
    above: int = 0


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


def find_linear(numbers: Sum, arithmetic: Arithmetic) -> Linear | None:
    """A linear function that equals TFLite's for every pair of operands; None where none is found.

    For given multipliers each pair bounds the offset from both sides, so that the offsets that hold are an interval.
    It is empty where halves round away from zero on both sides, as they do for scales in simple proportions.
    """
    if max(numbers.scale_a[1], numbers.scale_b[1], numbers.scale_out[1]) > 0:
        return None
    factor_out = float(np.ldexp(numbers.scale_out[0], numbers.scale_out[1] - 31 + _LEFT_SHIFT))
    factor_a = float(np.ldexp(numbers.scale_a[0], numbers.scale_a[1] - 31)) * factor_out
    factor_b = float(np.ldexp(numbers.scale_b[0], numbers.scale_b[1] - 31)) * factor_out * numbers.sign
    wanted = exact(numbers)
    near = sorted(range(-arithmetic.nudges, arithmetic.nudges + 1), key=abs)
    nudges = sorted(((i, j) for i in near for j in near), key=lambda n: abs(n[0]) + abs(n[1]))
    for shift in arithmetic.shifts(factor_a, factor_b):
        one = 2 ** (shift + arithmetic.fraction_bits)
        mul_a, mul_b = round(factor_a * one), round(factor_b * one)
        for nudge_a, nudge_b in nudges:
            found = _with_offset(numbers, wanted, mul_a + nudge_a, mul_b + nudge_b, shift, arithmetic)
            if found is not None:
                return found
    return None


def _with_offset(
    numbers: Sum, wanted: Ints64, mul_a: int, mul_b: int, shift: int, arithmetic: Arithmetic
) -> Linear | None:
    """The function with the offset in the middle of those that hold for every pair."""
    x = np.arange(-128, 128, dtype=np.int64)
    of_a, of_b = arithmetic.product(mul_a, x), arithmetic.product(mul_b, x)
    products, level = of_a[:, None] + of_b[None, :], wanted + arithmetic.above
    from_below = np.where(wanted > numbers.low, (level << shift) - products, -(2**62)).max()
    from_above = np.where(wanted < numbers.high, ((level + 1) << shift) - 1 - products, 2**62).min()
    if from_below > from_above:
        return None
    found = Linear(mul_a, mul_b, int(from_below + from_above) // 2, shift)
    return found if arithmetic.fits(found, of_a, of_b) else None


def sums(found: Linear, of_a: Ints64, of_b: Ints64) -> tuple[int, int]:
    """The smallest and largest sum before the shift."""
    low, high = int(of_a.min() + of_b.min()), int(of_a.max() + of_b.max())
    return found.offset + low, found.offset + high


def same_shape(graph: Graph, op: Op) -> Verdict:
    """Whether both operands have the output's shape."""
    shape = first_output(graph, op).shape
    same = all(graph.tensor(i).shape == shape for i in op.inputs)
    return APPLIES if same else unfit("operands of different shapes")


def two_activations(graph: Graph, op: Op, linear: Callable[[Sum], Linear | None]) -> Verdict:
    """Whether both operands are activations of the output's shape, and ``linear`` finds a function for them."""
    if any(graph.tensor(i).data is not None for i in op.inputs):
        return unfit("a constant operand")
    return same_shape(graph, op) and proven_by(graph, op, linear)


def proven_by(graph: Graph, op: Op, linear: Callable[[Sum], Linear | None]) -> Verdict:
    """Whether ``linear`` finds a function."""
    return APPLIES if linear(describe(graph, op)) is not None else unproven(NO_LINE)


def build_sum(graph: Graph, op: Op, found: Linear, *, kernel: str, header: str) -> Step:
    """The step of ADD or SUB of two activations, in place over either operand."""
    numbers, output = describe(graph, op), first_output(graph, op)
    inputs = tuple(dict.fromkeys(op.inputs))
    ints: dict[str, int] = {
        "mul_a": found.mul_a, "mul_b": found.mul_b, "offset": found.offset,
        "shift": found.shift, "out_min": numbers.low, "out_max": numbers.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        *(In(inputs.index(i)) for i in op.inputs), Out(0),
        *runs(output.elements), *operand_runs(output.elements), *(Int(k, v) for k, v in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel=kernel, header=header, inputs=inputs, args=args, in_place=in_place(graph, inputs, output)
    )
