"""AVERAGE_POOL_2D without padding, and MEAN over height and width, on ``tml_pool2d_dsp.h``."""

from __future__ import annotations

from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import PoolAttrs, ReduceAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.reduce import mean_multiplier
from tinyml.lower.program import Arg, In, Int, Out, Step, Target

_HEADER = "tml_pool2d_dsp.h"
_WIDEST = 255


def average_applies(graph: Graph, op: Op, target: Target) -> bool:
    """Windows inside the input and at most 255 wide, and channels a multiple of four."""
    attrs = cast(PoolAttrs, op.attrs)
    padded = attrs.pad_top or attrs.pad_bottom or attrs.pad_left or attrs.pad_right
    return not padded and attrs.filter_w <= _WIDEST and first_input(graph, op).shape[3] % 4 == 0


def build_average(graph: Graph, op: Op, target: Target) -> Step:
    """The step of AVERAGE_POOL_2D."""
    attrs = cast(PoolAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    clamps = activation_range(attrs.activation, output)
    ints: dict[str, int] = {
        "in_w": x.shape[2], "channels": x.shape[3], "out_h": output.shape[1], "out_w": output.shape[2],
        "filter_h": attrs.filter_h, "filter_w": attrs.filter_w,
        "stride_h": attrs.stride_h, "stride_w": attrs.stride_w, "out_min": clamps.low, "out_max": clamps.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (In(0), Out(0), *(Int(k, v) for k, v in ints.items()))
    return make_step(graph, op, kernel="tml_average_pool2d_dsp", header=_HEADER, inputs=op.inputs[:1], args=args)


def mean_applies(graph: Graph, op: Op, target: Target) -> bool:
    """Axes 1 and 2 of [1, height, width, channels], at most 255 wide, and channels a multiple of four."""
    shape = first_input(graph, op).shape
    spatial = len(shape) == 4 and shape[0] == 1 and {a % 4 for a in cast(ReduceAttrs, op.attrs).axes} == {1, 2}
    return spatial and shape[2] <= _WIDEST and shape[3] % 4 == 0


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
