"""DEPTHWISE_CONV_2D on ``tml_depthwise_conv2d``: any kernel, stride, dilation, padding and depth multiplier."""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import constant, first_input, first_output, make_step, optional_bias
from tinyml.lower.ops.conv_2d import requantisation, window_numbers
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.requant import fold_input_zero_point


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step: windows inside the input are read in place, those at a border are gathered into scratch."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    weights = constant(graph, op, 1)
    kernel_h, kernel_w = weights.shape[1:3]
    requant = requantisation(graph, op)
    bias = fold_input_zero_point(optional_bias(graph, op), weights.astype(np.int64).sum(axis=(0, 1, 2)), x.zero_point)
    clamps = activation_range(attrs.activation, output)
    # by rows the rows of padding are known at run time only
    padded = bool(attrs.pad_top or attrs.pad_bottom or attrs.pad_left or attrs.pad_right or target.by_rows)
    consts = (
        Const("weights", weights, Role.WEIGHTS),
        Const("bias", bias, Role.BIAS),
        *requant.consts(),
    )
    ints: dict[str, int] = {
        "in_h": x.shape[1],
        "in_w": x.shape[2],
        "in_c": x.shape[3],
        "out_h": output.shape[1],
        "out_w": output.shape[2],
        "multiplier": attrs.multiplier,
        **window_numbers(attrs, kernel_h, kernel_w),
        "padded": int(padded),
        "out_pitch": output.shape[3],
        "in_zero_point": x.zero_point,
        "out_zero_point": output.zero_point,
        "out_min": clamps.low,
        "out_max": clamps.high,
        "max_shift": requant.max_shift,
    }
    args: tuple[Arg, ...] = (
        In(0),
        Out(0),
        Scratch(),
        *(ConstRef(i) for i in range(4)),
        *(Int(k, v) for k, v in ints.items()),
    )
    return make_step(
        graph,
        op,
        kernel="tml_depthwise_conv2d",
        header="tml_depthwise_conv2d.h",
        inputs=op.inputs[:1],
        args=args,
        consts=consts,
        scratch_bytes=kernel_h * kernel_w * x.shape[3] if padded else 0,
    )
