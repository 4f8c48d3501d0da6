"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over height and width on ``tml_pool2d_dsp.h``."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import PoolAttrs, ReduceAttrs
from tinyml.lower.ops import pool_2d
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.reduce import mean_multiplier
from tinyml.lower.program import Arg, In, Int, Out, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_HEADER = "tml_pool2d_dsp.h"
_WIDEST = 255


def build_max(graph: Graph, op: Op, target: Target) -> Step:
    """The step of MAX_POOL_2D."""
    return replace(pool_2d.build_max(graph, op, target), kernel="tml_max_pool2d_dsp", header=_HEADER)


def average_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Windows of at most 255 pixels."""
    attrs = cast(PoolAttrs, op.attrs)
    pixels = attrs.filter_h * attrs.filter_w
    return unfit(f"windows of at most {_WIDEST} pixels, here {pixels}") if pixels > _WIDEST else APPLIES


def build_average(graph: Graph, op: Op, target: Target) -> Step:
    """The step of AVERAGE_POOL_2D."""
    return replace(pool_2d.build_average(graph, op, target), kernel="tml_average_pool2d_dsp", header=_HEADER)


def large_average_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Windows inside the input and at most 255 wide, and channels a multiple of four."""
    attrs = cast(PoolAttrs, op.attrs)
    if attrs.pad_top or attrs.pad_bottom or attrs.pad_left or attrs.pad_right:
        return unfit("windows that leave the input")
    channels = first_input(graph, op).shape[3]
    return unfit(f"channels in fours, here {channels}") if channels % 4 else _width(attrs.filter_w)


def _width(width: int) -> Verdict:
    return unproven(f"int16 holds sums of {_WIDEST} columns, here {width}") if width > _WIDEST else APPLIES


def build_large_average(graph: Graph, op: Op, target: Target) -> Step:
    """The step of AVERAGE_POOL_2D over more pixels."""
    return replace(pool_2d.build_average(graph, op, target), kernel="tml_average_large_dsp", header=_HEADER)


def mean_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Axes 1 and 2 of [1, height, width, channels], at most 255 wide, and four channels or more."""
    shape = first_input(graph, op).shape
    axes = cast(ReduceAttrs, op.attrs).axes
    if len(shape) != 4 or shape[0] != 1 or {a % 4 for a in axes} != {1, 2}:
        return unfit(f"axes 1 and 2 of one image, here {axes} of {shape}")
    return unfit(f"four channels or more, here {shape[3]}") if shape[3] < 4 else _width(shape[2])


def build_mean(graph: Graph, op: Op, target: Target) -> Step:
    """The step of MEAN."""
    x, output = first_input(graph, op), first_output(graph, op)
    _, height, width, channels = x.shape
    multiplier, shift = mean_multiplier(x.scale, output.scale, height * width)
    ints: dict[str, int] = {
        "height": height, "width": width, "channels": channels, "offset": x.zero_point * height * width,
        "multiplier": multiplier, "shift": shift, "out_zero_point": output.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (In(0), Out(0), *(Int(k, v) for k, v in ints.items()))
    return make_step(graph, op, kernel="tml_mean_dsp", header=_HEADER, inputs=op.inputs[:1], args=args)
