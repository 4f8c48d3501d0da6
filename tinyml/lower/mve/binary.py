"""ADD, SUB and MUL on ``tml_binary_mve.h``: operands of one shape, for MUL also one that is the same in every row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np

from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import BinaryAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.linear_sum import (
    Arithmetic,
    Linear,
    Sum,
    describe,
    find_linear,
    proven_by,
    same_shape,
    sums,
)
from tinyml.lower.mve.product import Ints64
from tinyml.lower.ops.binary import broadcast_loops, in_place, operands, sum_multipliers
from tinyml.lower.ops.common import first_output, make_step, operand_runs, runs
from tinyml.lower.program import Arg, Int, Out, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_HEADER = "tml_binary_mve.h"
_MUL = "tml_mul_mve"
_SHIFTS = range(16, 23)
_NUDGES = 2
_REACH = 2**31


def _shifts(factor_a: float, factor_b: float) -> Sequence[int]:
    """From 16 on; those beyond take two more instructions."""
    return [s for s in _SHIFTS if (abs(factor_a) + abs(factor_b)) * 128 * 2**s < _REACH]


def _product(multiplier: int, operand: Ints64) -> Ints64:
    return multiplier * operand


def _fits(found: Linear, of_a: Ints64, of_b: Ints64) -> bool:
    first = abs(found.offset) + 128 * abs(found.mul_a)
    return first < _REACH and all(-_REACH <= end < _REACH for end in sums(found, of_a, of_b))


ARITHMETIC = Arithmetic(_shifts, _product, _fits, _NUDGES)


@lru_cache(maxsize=256)
def linear(numbers: Sum) -> Linear | None:
    """``(mul_a * a + mul_b * b + offset) >> shift`` that is exact, with the least shift; None without one."""
    return find_linear(numbers, ARITHMETIC)


def linear_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Operands of the output's shape, and a linear function that is exact for every pair of values."""
    return same_shape(graph, op) and proven_by(graph, op, linear)


def sum_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Operands of the output's shape.

    Shifts are within VRSHL's exact range, -31 to 0: TFLite's multipliers have none further to the right, and a
    constraint of the graph leaves none to the left.
    """
    return same_shape(graph, op)


def mul_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Operands of the output's shape, or one the same in every row; an effective scale below one."""
    if _rows(graph, op) is None:
        return unfit("an operand that is neither of the output's shape nor the same in every row")
    shift = mul_scale(graph, op)[1]
    return APPLIES if -31 <= shift <= 0 else unproven(f"an effective scale below one, here with a shift of {shift}")


def _rows(graph: Graph, op: Op) -> dict[str, int] | None:
    """Rows, their elements and the operands' steps; None where an operand broadcasts otherwise."""
    shapes = (graph.tensor(op.inputs[0]).shape, graph.tensor(op.inputs[1]).shape, first_output(graph, op).shape)
    loops = broadcast_loops(*shapes)
    rows, elements = (1, *loops.sizes)[-2:]
    a_step, b_step = (elements, *loops.strides_a)[-2], (elements, *loops.strides_b)[-2]
    if len(loops.sizes) > 2 or not loops.strides_a[-1] == loops.strides_b[-1] == 1:
        return None
    return {"rows": rows, "elements": elements, "a_step": a_step, "b_step": b_step}


def mul_scale(graph: Graph, op: Op) -> tuple[int, int]:
    """Multiplier and shift of MUL; TFLite computes its effective scale in float32."""
    a, b, out = (np.float32(graph.tensor(i).scale) for i in (*op.inputs, op.outputs[0]))
    return quantize_multiplier(float(a * b / out))


def _build(graph: Graph, op: Op, kernel: str, ints: dict[str, int], *, clamps_only: bool = False) -> Step:
    output = first_output(graph, op)
    clamps = activation_range(cast(BinaryAttrs, op.attrs).activation, output)
    arguments, inputs, consts = operands(graph, op)
    last = {"out_zero_point": output.zero_point} if not clamps_only else {}
    last |= {"out_min": clamps.low, "out_max": clamps.high}
    where = (*runs(output.elements), *operand_runs(output.elements)) if kernel != _MUL else ()
    args: tuple[Arg, ...] = (*arguments, Out(0), *where, *(Int(name, value) for name, value in (ints | last).items()))
    return make_step(
        graph, op, kernel=kernel, header=_HEADER, inputs=inputs, args=args, consts=consts,
        in_place=in_place(graph, inputs, output),
    )  # fmt: skip


def build_linear(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ADD or SUB as one linear function, in place over either operand."""
    found = linear(describe(graph, op))
    assert found is not None
    ints = {
        "mul_a": found.mul_a, "mul_b": found.mul_b, "offset": found.offset, "shift": found.shift,
    }  # fmt: skip
    return _build(graph, op, "tml_linear_sum_mve", ints, clamps_only=True)


def _zero_points(graph: Graph, op: Op) -> dict[str, int]:
    a, b = (graph.tensor(i).zero_point for i in op.inputs)
    return {"a_zero_point": a, "b_zero_point": b}


def build_sum(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ADD or SUB with TFLite's three roundings."""
    ints = _zero_points(graph, op) | sum_multipliers(graph, op) | {"sign": 1 if op.kind == "ADD" else -1}
    return _build(graph, op, "tml_sum_mve", ints)


def build_mul(graph: Graph, op: Op, target: Target) -> Step:
    """The step of MUL."""
    multiplier, shift = mul_scale(graph, op)
    rows = _rows(graph, op)
    assert rows is not None
    ints = rows | {"out_pitch": rows["elements"]} | _zero_points(graph, op) | {"multiplier": multiplier, "shift": shift}
    return _build(graph, op, _MUL, ints)
