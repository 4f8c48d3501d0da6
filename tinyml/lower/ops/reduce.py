"""MEAN and SUM over any axes on ``tml_reduce``.

Source: TFLite ``kernels/internal/reference/reduce.h`` (QuantizedMeanOrSum).
"""

from __future__ import annotations

from math import prod
from typing import cast

from tinyml.errors import UnsupportedError
from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import ReduceAttrs
from tinyml.graph.quantisation import dtype_range
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.program import Arg, In, Int, Ints, Out, Step, Target

PAIRS = 3


def kept_and_reduced(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[tuple[int, int]]:
    """The shape as alternating (kept, reduced) sizes, outermost first; neighbours of a kind are merged."""
    pairs: list[tuple[int, int]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if axis in axes:
            kept, reduced = pairs.pop() if pairs else (1, 1)
            pairs.append((kept, reduced * size))
        elif pairs and pairs[-1][1] == 1:
            pairs[-1] = (pairs[-1][0] * size, 1)
        else:
            pairs.append((size, 1))
    return pairs


def padded_pairs(op: Op, shape: tuple[int, ...], axes: tuple[int, ...]) -> list[tuple[int, int]]:
    """:func:`kept_and_reduced` with ones in front, so that there are :data:`PAIRS`.

    Raises:
        UnsupportedError: kept and reduced dimensions alternate more often.
    """
    pairs = kept_and_reduced(shape, axes)
    if len(pairs) > PAIRS:
        raise UnsupportedError(
            f"{op.kind} ({op.name}) over axes {list(axes)} of {list(shape)} alternates kept and reduced dimensions"
            f" more than {PAIRS} times",
            hint="transpose or reduce in two steps",
        )
    return [(1, 1)] * (PAIRS - len(pairs)) + pairs


def mean_multiplier(scale_in: float, scale_out: float, count: int) -> tuple[int, int]:
    """The multiplier of MEAN with the division by ``count`` in it, as QuantizedMeanOrSum does it."""
    multiplier, shift = quantize_multiplier(scale_in / scale_out)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << extra) // count, shift - extra


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of MEAN and SUM."""
    axes = cast(ReduceAttrs, op.attrs).axes
    x, output = first_input(graph, op), first_output(graph, op)
    pairs = padded_pairs(op, x.shape, axes)
    count = prod(x.shape[axis] for axis in axes)
    if op.kind == "MEAN":
        multiplier, shift = mean_multiplier(x.scale, output.scale, count)
    else:
        multiplier, shift = quantize_multiplier(x.scale / output.scale)
    clamps = dtype_range(output.dtype)
    args: tuple[Arg, ...] = (
        In(0),
        Out(0),
        Ints("kept", tuple(p[0] for p in pairs)),
        Ints("reduced", tuple(p[1] for p in pairs)),
        Int("in_zero_point", x.zero_point),
        Int("out_zero_point", output.zero_point),
        Int("multiplier", multiplier),
        Int("shift", shift),
        Int("out_min", clamps.low),
        Int("out_max", clamps.high),
    )
    return make_step(graph, op, kernel="tml_reduce", header="tml_reduce.h", inputs=op.inputs[:1], args=args)
