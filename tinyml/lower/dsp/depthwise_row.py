"""DEPTHWISE_CONV_2D of one output row on ``tml_depthwise_row3_dsp``: straight from the input, two taps at a time."""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.dsp.requant import Layer, Words, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step, optional_bias
from tinyml.lower.ops.conv_2d import requantisation
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Optimize, Out, Role, Step, Target
from tinyml.lower.requant import fold_input_zero_point
from tinyml.lower.verdict import APPLIES, Verdict, unfit

_UNROLL = {Optimize.SPEED: 2, Optimize.BALANCED: 2, Optimize.SIZE: 0}
_MOST_CHANNELS = 4095


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One row of output from a 3×3 kernel, a multiplier of 1, no dilation, a horizontal stride of 1 or 2."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    kernel = constant(graph, op, 1).shape[1:3]
    if kernel != (3, 3):
        return unfit(f"a kernel of 3×3, here {kernel[0]}×{kernel[1]}")
    if output.shape[1] != 1:
        return unfit(f"one row of output, here {output.shape[1]}")
    if attrs.multiplier != 1 or attrs.stride_w > 2 or not attrs.dilation_h == attrs.dilation_w == 1:
        return unfit("a multiplier of 1, a horizontal stride of 1 or 2, and no dilation")
    if attrs.pad_left > 2 or attrs.pad_top > 2:
        return unfit(f"padding narrower than the kernel, here {attrs.pad_top} above and {attrs.pad_left} to the left")
    if x.shape[3] > _MOST_CHANNELS:
        return unfit(f"at most {_MOST_CHANNELS:,} channels, here {x.shape[3]:,}")
    return APPLIES


def pack(product: Layer) -> Words:
    """The streams of all channels: the lowest row's taps, scale, bias, pairs of the two upper rows."""
    taps = product.weights.reshape(-1, 3, 3) & 0xFFFF
    upper = taps[:, 0] | taps[:, 1] << 16
    lowest = taps[:, 2, :2] | taps[:, 2, 1:] << 16
    heads = np.stack([product.requant.mul, product.requant.par, product.bias + product.requant.start], axis=1)
    words = np.concatenate([lowest, heads & 0xFFFFFFFF, upper], axis=1)
    return words.astype(np.uint32).view(np.int32).ravel()


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; ``height`` and ``pad_top`` are the only arguments that differ from row to row of a layer."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    weights = constant(graph, op, 1)[0].astype(np.int64)
    flat = weights.reshape(-1, weights.shape[2]).T
    bias = fold_input_zero_point(optional_bias(graph, op), flat.sum(axis=1), x.zero_point).astype(np.int64)
    clamps = activation_range(attrs.activation, output)
    product = layer(flat, bias, requantisation(graph, op), Rounding.DOUBLE, output.zero_point, clamps)
    width, out_w = x.shape[2], output.shape[2]
    inside = max(0, min(out_w // 2 if attrs.stride_w == 1 else out_w, (width - 2 + attrs.pad_left) // 2))
    limit = _UNROLL[target.optimize]
    unroll = next((part for part in range(limit, 0, -1) if inside // 2 % part == 0), 0)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": width, "channels": x.shape[3], "stride_w": attrs.stride_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_w": out_w, "unroll": unroll,
        "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_depthwise_row3_dsp", header="tml_depthwise_row_dsp.h", inputs=op.inputs[:1], args=args,
        consts=(Const("weights", pack(product), Role.WEIGHTS),), in_place=((0, 0),),
    )  # fmt: skip
