"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over rows and columns on ``tml_pool2d_mve.h``."""

from __future__ import annotations

from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import PoolAttrs, ReduceAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.reduce import kept_and_reduced, mean_multiplier
from tinyml.lower.program import Arg, In, Int, Out, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_HEADER = "tml_pool2d_mve.h"
_MOST_PIXELS = 255
"""128 times as many still fit int16."""


def average_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Windows that never leave the input, of 3 to 255 pixels."""
    attrs = cast(PoolAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    inside = (
        attrs.pad_top == attrs.pad_left == 0
        and (output.shape[1] - 1) * attrs.stride_h + attrs.filter_h <= x.shape[1]
        and (output.shape[2] - 1) * attrs.stride_w + attrs.filter_w <= x.shape[2]
    )
    if not inside:
        return unfit("windows that leave the input")
    window = attrs.filter_h * attrs.filter_w
    return APPLIES if 3 <= window <= _MOST_PIXELS else unproven(f"windows of 3 to {_MOST_PIXELS} pixels, here {window}")


def reciprocal(count: int) -> int:
    """``2^32 / count`` rounded up: ``n * reciprocal >> 32 = n // count`` for ``n * count < 2^32``.

    The rounding adds less than ``n * count / 2^32`` of a count's part to the quotient; with n at most 128.5 counts
    that holds for any count up to 5,780.
    """
    return -(-(2**32) // count)


def build_average(graph: Graph, op: Op, target: Target) -> Step:
    """The step of AVERAGE_POOL_2D."""
    attrs = cast(PoolAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    clamps = activation_range(attrs.activation, output)
    ints: dict[str, int] = {
        "width": x.shape[2], "channels": x.shape[3], "out_h": output.shape[1], "out_w": output.shape[2],
        "filter_h": attrs.filter_h, "filter_w": attrs.filter_w, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "out_pitch": x.shape[3], "reciprocal": reciprocal(attrs.filter_h * attrs.filter_w),
        "out_min": clamps.low, "out_max": clamps.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (In(0), Out(0), *(Int(k, v) for k, v in ints.items()))
    return make_step(graph, op, kernel="tml_average_pool2d_mve", header=_HEADER, inputs=op.inputs[:1], args=args)


def max_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Correct for every op that the graph's constraints let through."""
    return APPLIES


def build_max(graph: Graph, op: Op, target: Target) -> Step:
    """The step of MAX_POOL_2D."""
    attrs = cast(PoolAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    clamps = activation_range(attrs.activation, output)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "channels": x.shape[3],
        "out_h": output.shape[1], "out_w": output.shape[2],
        "filter_h": attrs.filter_h, "filter_w": attrs.filter_w, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_pitch": x.shape[3],
        "out_min": clamps.low, "out_max": clamps.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (In(0), Out(0), *(Int(k, v) for k, v in ints.items()))
    return make_step(graph, op, kernel="tml_max_pool2d_mve", header=_HEADER, inputs=op.inputs[:1], args=args)


def _mean_sizes(graph: Graph, op: Op) -> tuple[int, int, int] | None:
    """Images, pixels and channels where the mean is over neighbouring dimensions before the last one."""
    x = first_input(graph, op)
    match kept_and_reduced(x.shape, cast(ReduceAttrs, op.attrs).axes):
        case [(images, pixels), (channels, 1)]:
            return images, pixels, channels
        case _:
            return None


def _mean_scale(graph: Graph, op: Op, pixels: int) -> tuple[int, int]:
    return mean_multiplier(first_input(graph, op).scale, first_output(graph, op).scale, pixels)


def mean_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Over dimensions before the last one, at most 255 elements, and an effective scale below one."""
    sizes = _mean_sizes(graph, op)
    if sizes is None:
        return unfit(f"neighbouring axes before the last one, here {cast(ReduceAttrs, op.attrs).axes}")
    if sizes[1] > _MOST_PIXELS:
        return unproven(f"int16 holds sums of {_MOST_PIXELS} elements, here {sizes[1]:,}")
    shift = _mean_scale(graph, op, sizes[1])[1]
    return APPLIES if -31 <= shift <= 0 else unproven(f"an effective scale below one, here with a shift of {shift}")


def build_mean(graph: Graph, op: Op, target: Target) -> Step:
    """The step of MEAN."""
    sizes = _mean_sizes(graph, op)
    assert sizes is not None
    images, pixels, channels = sizes
    multiplier, shift = _mean_scale(graph, op, pixels)
    ints: dict[str, int] = {
        "images": images, "pixels": pixels, "channels": channels,
        "offset": -first_input(graph, op).zero_point * pixels, "multiplier": multiplier, "shift": shift,
        "out_zero_point": first_output(graph, op).zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (In(0), Out(0), *(Int(k, v) for k, v in ints.items()))
    return make_step(graph, op, kernel="tml_mean_mve", header=_HEADER, inputs=op.inputs[:1], args=args)
