"""DEPTHWISE_CONV_2D on ``tml_depthwise_clipped_dsp``: four channels at a time, only taps inside of the input."""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.lower.dsp.gemm import in_words
from tinyml.lower.dsp.requant import Ints64, Words, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.matrix_product import of_depthwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit

_TAP, _OUTPUT = 2.75, 20.0
"""Instructions of a tap inside and of an output here, measured; those of the kernels on planes are a tap's:"""
_PLANE_TAP, _PLANE_OUTPUT = 1.5, 3.0


def _inside(size: int, out_size: int, kernel: int, stride: int, dilation: int, pad: int) -> float:
    """Taps inside of a row or column of ``size``, on average over its outputs."""
    places = np.arange(out_size)[:, None] * stride - pad + np.arange(kernel)[None, :] * dilation
    return float(((places >= 0) & (places < size)).sum(axis=1).mean())


def _taps(graph: Graph, op: Op) -> float:
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    _, kernel_h, kernel_w, _ = constant(graph, op, 1).shape
    down = _inside(x.shape[1], output.shape[1], kernel_h, attrs.stride_h, attrs.dilation_h, attrs.pad_top)
    across = _inside(x.shape[2], output.shape[2], kernel_w, attrs.stride_w, attrs.dilation_w, attrs.pad_left)
    return down * across


def any_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """At least four channels and a multiplier of 1; any kernel, stride, dilation and padding."""
    channels = first_input(graph, op).shape[3]
    if cast(DepthwiseConv2DAttrs, op.attrs).multiplier != 1 or channels < 4:
        return unfit(f"at least four channels and a multiplier of 1, here {channels}")
    return APPLIES


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """At least four channels, a multiplier of 1, and so many taps outside of the image that leaving them out pays."""
    _, kernel_h, kernel_w, _ = constant(graph, op, 1).shape
    here, planes = _TAP * _taps(graph, op) + _OUTPUT, _PLANE_TAP * kernel_h * kernel_w + _PLANE_OUTPUT
    if target.by_rows or here >= planes:
        return unfit(f"few taps inside, here about {here:.0f} instructions an output, {planes:.0f} on planes")
    return any_applies(graph, op, target)


def _streams(weights: Ints64, heads: Words, scales: Words) -> Words:
    """``weights`` [channels, taps], ``heads`` [channels] and ``scales`` [channels, 2] by four channels."""
    channels = len(weights)
    found = []
    for first in range(0, channels, 4):
        four = slice(min(first, channels - 4), min(first, channels - 4) + 4)
        w = weights[four].T
        found += [heads[four], in_words(w[:, :2], w[:, 2:]).ravel(), scales[four].ravel()]
    return np.concatenate(found).astype(np.int32)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    _, kernel_h, kernel_w, channels = constant(graph, op, 1).shape
    product = layer(*of_depthwise(graph, op))
    heads = product.bias + product.requant.start + x.zero_point * product.weights.sum(axis=1)
    scales = np.stack([product.requant.mul, product.requant.par], axis=1)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "channels": channels, "kernel_h": kernel_h, "kernel_w": kernel_w,
        "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "dilation_h": attrs.dilation_h, "dilation_w": attrs.dilation_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_h": output.shape[1], "out_w": output.shape[2],
        "out_pitch": channels, "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (In(0), Out(0), ConstRef(0), *(Int(k, v) for k, v in ints.items()), *product.requant.ints())
    streams = _streams(product.weights, heads, scales)
    return make_step(
        graph, op, kernel="tml_depthwise_clipped_dsp", header="tml_depthwise_clipped_dsp.h", inputs=op.inputs[:1],
        args=args, consts=(Const("weights", streams, Role.WEIGHTS),),
    )  # fmt: skip
