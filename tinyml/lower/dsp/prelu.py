"""PRELU with one slope a channel on ``tml_prelu_dsp``: one linear function for both signs, proven on every pair.

TFLite scales values above zero and products of values and slopes below it by two factors, and rounds each twice. Both
become one accumulator here, whose linear function is exact where a start is found for each side: all results of a side
have one sign, so that its halves go one way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops.arithmetic import build_prelu, prelu_multipliers
from tinyml.lower.ops.binary import padded_loops
from tinyml.lower.ops.common import first_input, first_output
from tinyml.lower.program import Arg, Int, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

Ints64 = npt.NDArray[np.int64]
_INT32 = 2**31
_MOST_SHIFT, _MOST_SUM = 16, 2**29
_BYTES = np.arange(-128, 128, dtype=np.int64)
_KEPT = frozenset({"out_pitch", "a_zero_point", "b_zero_point"})
NO_LINE = "no linear function rounds as TFLite for every value and slope"


@dataclass(frozen=True, slots=True)
class Slopes:
    """The numbers of ``tml_prelu_dsp``, of values without their zero point."""

    above: int
    above_start: int
    below: int
    below_start: int
    mirrored_start: int
    mul: int
    par: int
    shift: int


def _scaled(values: Ints64, multiplier: int, shift: int) -> Ints64:
    """TFLite's MultiplyByQuantizedMultiplier of many, two roundings."""
    high = (np.left_shift(values, max(shift, 0)) * multiplier + 2**30) >> 31
    right = max(-shift, 0)
    return high if right == 0 else (high + (1 << (right - 1)) - (high < 0)) >> right


def _start(sums: Ints64, wanted: Ints64, mul: int, par: int, shift: int) -> int | None:
    """What to add to ``sums`` so that the linear function gives ``wanted``, clamped values; None where nothing does."""
    if not len(sums):
        return 0
    reached, missed = wanted > -128, wanted < 127
    least = -((-((wanted << shift) - par) << 32) // mul) - sums
    most = -(-((((wanted + 1) << shift) - par) << 32) // mul) - 1 - sums
    low, high = least[reached].max(initial=-_INT32), most[missed].min(initial=_INT32)
    start = int(np.clip((low + high) // 2, -_MOST_SUM, _MOST_SUM))
    found = np.clip((((sums + start) * mul >> 32) + par) >> shift, -128, 127)
    return start if np.array_equal(found, wanted) else None


@lru_cache(maxsize=256)
def slopes(above: tuple[int, int], below: tuple[int, int], zeros: tuple[int, int], alphas: bytes) -> Slopes | None:
    """The linear functions for the multipliers and shifts ``above`` and ``below`` zero; None where one is not exact.

    ``zeros`` are the zero points of input and output, ``alphas`` the slopes that occur without theirs, as int16.
    """
    values, slope = _BYTES - zeros[0], np.unique(np.frombuffer(alphas, np.int16).astype(np.int64))
    over, under = values[values >= 0], values[values < 0]
    products = np.multiply.outer(under, slope)
    factor = {side: m * 2.0 ** (s - 31) for side, (m, s) in (("above", above), ("below", below))}
    ends = [np.abs(over).max(initial=0) * factor["above"], np.abs(products).max(initial=0) * factor["below"], 256]
    shift = min(_MOST_SHIFT, int(np.floor(np.log2(_MOST_SUM / max(ends)))))
    unit = 1 << int(np.floor(np.log2(_MOST_SUM / max(np.abs(products).max(initial=0), 1))))
    mul = round(factor["below"] * 2.0 ** (32 + shift) / unit)
    while mul >= _INT32 or (mul and 256 * factor["above"] * 2.0 ** (32 + shift) / mul >= _MOST_SUM):
        if mul >= _INT32:
            shift -= 1
        else:
            unit //= 2
        mul = round(factor["below"] * 2.0 ** (32 + shift) / unit) if unit and shift > 0 else 0
    if mul <= 0:
        return None
    one, par = round(factor["above"] * 2.0 ** (32 + shift) / mul), (zeros[1] << shift) + (1 << (shift - 1))
    sides = (
        (over * one, over, above),
        (products[:, slope >= 0].ravel() * unit, products[:, slope >= 0].ravel(), below),
        (products[:, slope < 0].ravel() * unit, products[:, slope < 0].ravel(), below),
    )
    starts = []
    for sums, raw, (multiplier, right) in sides:
        wanted = np.clip(_scaled(raw, multiplier, right) + zeros[1], -128, 127)
        starts.append(_start(sums, wanted, mul, par, shift))
    if None in starts:
        return None
    first, second, third = (start for start in starts if start is not None)
    return Slopes(one, first, unit, second, third, mul, par, shift)


def _found(graph: Graph, op: Op) -> Slopes | None:
    x, alpha = first_input(graph, op), graph.tensor(op.inputs[1])
    values = _BYTES if alpha.data is None else np.unique(alpha.data).astype(np.int64)
    known = (values - alpha.zero_point).astype(np.int16).tobytes()
    above, below = prelu_multipliers(graph, op)
    return slopes(above, below, (x.zero_point, first_output(graph, op).zero_point), known)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One slope or a row of slopes for all rows, and linear functions that are exact for every value and slope."""
    loops = padded_loops(graph, op)
    (*outer, rows, _), a, b = loops.sizes, loops.strides_a, loops.strides_b
    if max(outer) > 1 or b[3] != 0 or a[4] != 1 or (rows > 1 and a[3] == 0):
        return unfit("slopes that differ from row to row")
    return APPLIES if _found(graph, op) is not None else unproven(NO_LINE)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of PRELU, in place over its input."""
    found = _found(graph, op)
    assert found is not None
    step = build_prelu(graph, op, target)
    kept = tuple(arg for arg in step.args if not (isinstance(arg, Int) and arg.name not in _KEPT))
    numbers: tuple[Arg, ...] = tuple(Int(name, getattr(found, name)) for name in Slopes.__slots__)
    in_place = tuple(pair for pair in step.in_place if step.inputs[pair[0]] == op.inputs[0])
    return replace(
        step, kernel="tml_prelu_dsp", header="tml_prelu_dsp.h", args=kept + numbers, in_place=in_place
    )  # fmt: skip
