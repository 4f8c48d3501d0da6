"""CONV_2D on ``tml_conv2d``: any kernel, stride, dilation, padding and groups."""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyml.graph.quantisation import activation_range, effective_scales
from tinyml.lower.ops.common import constant, first_input, first_output, make_step, optional_bias
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.requant import Multipliers, double_rounding, fold_input_zero_point


def requantisation(graph: Graph, op: Op) -> Multipliers:
    """The multipliers of a convolution's output channels; the channels are the output's last dimension."""
    weights = graph.tensor(op.inputs[1])
    output = first_output(graph, op)
    assert weights.quant is not None
    scales = effective_scales(first_input(graph, op).scale, weights.quant, output.scale, output.shape[-1])
    return double_rounding(scales)


def is_pointwise(graph: Graph, op: Op) -> bool:
    """Whether the op is 1×1 with stride 1 and no padding: outputs are made of the input's pixels as they lie."""
    attrs = cast(Conv2DAttrs, op.attrs)
    _, kernel_h, kernel_w, _ = constant(graph, op, 1).shape
    same_size = first_input(graph, op).shape[:3] == first_output(graph, op).shape[:3]
    return kernel_h == kernel_w == 1 and attrs.stride_h == attrs.stride_w == 1 and same_size


def _patch_is_a_pixel(graph: Graph, op: Op) -> bool:
    """Whether the kernel is 1×1 over unpadded input, with any stride, so that no patch need be gathered."""
    attrs = cast(Conv2DAttrs, op.attrs)
    _, kernel_h, kernel_w, _ = graph.tensor(op.inputs[1]).shape
    padded = attrs.pad_top or attrs.pad_bottom or attrs.pad_left or attrs.pad_right
    return kernel_h == kernel_w == 1 and not padded


def window_numbers(attrs: Conv2DAttrs | DepthwiseConv2DAttrs, kernel_h: int, kernel_w: int) -> dict[str, int]:
    """The window's arguments of the portable convolutions, in their order."""
    return {
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": attrs.stride_h,
        "stride_w": attrs.stride_w,
        "dilation_h": attrs.dilation_h,
        "dilation_w": attrs.dilation_w,
        "pad_top": attrs.pad_top,
        "pad_left": attrs.pad_left,
    }


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step: patches are gathered into scratch, padded with the zero point folded into the bias."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    weights = constant(graph, op, 1)
    out_c, kernel_h, kernel_w, group_c = weights.shape
    requant = requantisation(graph, op)
    bias = fold_input_zero_point(optional_bias(graph, op), weights.astype(np.int64).sum(axis=(1, 2, 3)), x.zero_point)
    clamps = activation_range(attrs.activation, output)
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
        "out_c": out_c,
        **window_numbers(attrs, kernel_h, kernel_w),
        "groups": attrs.groups,
        "out_pitch": out_c,
        "gather": int(not _patch_is_a_pixel(graph, op)),
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
        kernel="tml_conv2d",
        header="tml_conv2d.h",
        inputs=op.inputs[:1],
        args=args,
        consts=consts,
        scratch_bytes=0 if _patch_is_a_pixel(graph, op) else kernel_h * kernel_w * group_c,
    )
