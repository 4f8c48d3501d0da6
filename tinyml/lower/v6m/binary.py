"""ADD and SUB of equal shapes on ``tml_linear_sum_v6m``: one linear function, proven on every pair of operands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.lower.dsp.binary import NO_LINE, Linear, Sum, describe, exact
from tinyml.lower.ops.binary import in_place
from tinyml.lower.ops.common import first_output, make_step
from tinyml.lower.program import Arg, In, Int, Isa, Out, Step, Target
from tinyml.lower.v6m.lines import Ints64
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_LEFT_SHIFT = 20
_MOST_SHIFT, _NUDGES = 22, 3


@lru_cache(maxsize=256)
def linear(numbers: Sum) -> Linear | None:
    """Integers for which ``(mul_a * a + mul_b * b + offset) >> shift`` is TFLite's sum plus 128 on every pair.

    For given multipliers each pair bounds the offset from both sides, so that the offsets that hold are an interval.
    """
    if max(numbers.scale_a[1], numbers.scale_b[1], numbers.scale_out[1]) > 0:
        return None
    factor_out = float(np.ldexp(numbers.scale_out[0], numbers.scale_out[1] - 31 + _LEFT_SHIFT))
    factor_a = float(np.ldexp(numbers.scale_a[0], numbers.scale_a[1] - 31)) * factor_out
    factor_b = float(np.ldexp(numbers.scale_b[0], numbers.scale_b[1] - 31)) * factor_out * numbers.sign
    # The sum may be a few hundred levels beyond the outputs on either side; _offset refuses what leaves int32.
    span = (abs(factor_a) + abs(factor_b)) * 255
    shifts = [s for s in range(8, _MOST_SHIFT + 1) if span * 2**s < 2**31]
    wanted = exact(numbers) + 128
    nudges = sorted(range(-_NUDGES, _NUDGES + 1), key=abs)
    for shift in reversed(shifts[-2:]):
        mul_a, mul_b = round(factor_a * 2**shift), round(factor_b * 2**shift)
        for nudge_a, nudge_b in sorted(((i, j) for i in nudges for j in nudges), key=lambda n: abs(n[0]) + abs(n[1])):
            offset = _offset(numbers, wanted, mul_a + nudge_a, mul_b + nudge_b, shift)
            if offset is not None:
                return Linear(mul_a + nudge_a, mul_b + nudge_b, offset, shift)
    return None


def _offset(numbers: Sum, wanted: Ints64, mul_a: int, mul_b: int, shift: int) -> int | None:
    x = np.arange(-128, 128, dtype=np.int64)
    products = (mul_a * x)[:, None] + (mul_b * x)[None, :]
    low, high = numbers.low + 128, numbers.high + 128
    from_below = np.where(wanted > low, (wanted << shift) - products, -(2**62)).max()
    from_above = np.where(wanted < high, ((wanted + 1) << shift) - 1 - products, 2**62).min()
    if from_below > from_above:
        return None
    offset = int(from_below + from_above) // 2
    ends = [offset + int(products.min()), offset + int(products.max()), offset]
    margin = 128 << shift
    return offset if all(-(2**31) + margin <= end < 2**31 - margin for end in ends) else None


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
        "elements": output.elements, "mul_a": found.mul_a, "mul_b": found.mul_b,
        "offset": found.offset - ((128 << found.shift) if target.isa is Isa.V7M else 0),
        "shift": found.shift, "out_min": numbers.low, "out_max": numbers.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        *(In(inputs.index(i)) for i in op.inputs), Out(0), *(Int(k, v) for k, v in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_linear_sum_v6m", header="tml_binary_v6m.h", inputs=inputs, args=args,
        in_place=in_place(graph, inputs, output),
    )  # fmt: skip
