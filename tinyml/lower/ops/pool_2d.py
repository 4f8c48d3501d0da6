"""AVERAGE_POOL_2D and MAX_POOL_2D on ``tml_average_pool2d`` and ``tml_max_pool2d``."""

from __future__ import annotations

from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import PoolAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.program import Arg, In, Int, Out, Step, Target


def _build(graph: Graph, op: Op, kernel: str) -> Step:
    attrs = cast(PoolAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    clamps = activation_range(attrs.activation, output)
    ints: dict[str, int] = {
        "in_h": x.shape[1],
        "in_w": x.shape[2],
        "channels": x.shape[3],
        "out_h": output.shape[1],
        "out_w": output.shape[2],
        "filter_h": attrs.filter_h,
        "filter_w": attrs.filter_w,
        "stride_h": attrs.stride_h,
        "stride_w": attrs.stride_w,
        "pad_top": attrs.pad_top,
        "pad_left": attrs.pad_left,
        "out_pitch": x.shape[3],
        "out_min": clamps.low,
        "out_max": clamps.high,
    }
    args: tuple[Arg, ...] = (In(0), Out(0), *(Int(k, v) for k, v in ints.items()))
    return make_step(graph, op, kernel=kernel, header="tml_pool2d.h", inputs=op.inputs[:1], args=args)


def build_average(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of AVERAGE_POOL_2D."""
    return _build(graph, op, "tml_average_pool2d")


def build_max(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of MAX_POOL_2D."""
    return _build(graph, op, "tml_max_pool2d")
