"""CONV_2D on ``tml_pointwise_v6m`` and ``tml_conv2d_v6m``."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.conv_2d import is_pointwise
from tinyml.lower.ops.matrix_product import of_convolution
from tinyml.lower.program import Arg, ConstRef, In, Int, Out, Scratch, Step, Target
from tinyml.lower.v6m import fully_connected
from tinyml.lower.v6m.gemm import filled, live_bytes, pack, parts_of, peak_of_others, place, why_no_parts
from tinyml.lower.v6m.requant import Layer, explain, layer
from tinyml.lower.verdict import APPLIES, Verdict, proven, unfit

_HEADER = "tml_conv2d_v6m.h"
_SMALL_BYTES = 1024
"""A padded copy of the input up to this size is worth its memory."""


def op_layer(graph: Graph, op: Op, target: Target) -> Layer:
    """The op as a matrix product over patches."""
    return layer(*of_convolution(graph, op), target.isa)


def one_pixel_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """1×1 on a single pixel: a fully connected layer."""
    x, groups = first_input(graph, op), cast(Conv2DAttrs, op.attrs).groups
    if groups != 1:
        return unfit(f"{groups} groups")
    if not is_pointwise(graph, op) or x.elements != x.shape[-1]:
        return unfit("more than one pixel, or a kernel beyond it")
    return APPLIES


def build_one_pixel(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_fully_connected_v6m``."""
    return fully_connected.build_rows(graph, op, target, op_layer(graph, op, target))


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One group; any kernel, stride, dilation and padding, and weights whose sums unpack in at most 64 parts."""
    groups = cast(Conv2DAttrs, op.attrs).groups
    if groups != 1:
        return unfit(f"{groups} groups")
    return proven(why_no_parts(op_layer(graph, op, target).weights))


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; a pointwise convolution runs in place where the output is no deeper than the input."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    channels, kernel_h, kernel_w, in_c = constant(graph, op, 1).shape
    product = op_layer(graph, op, target)
    parts = parts_of(product.weights)
    assert parts is not None
    weights = filled(product.weights, parts)
    depth = weights.shape[1]
    where = place(graph, op, target, channels, depth)
    pointwise = is_pointwise(graph, op)
    ints: dict[str, int]
    if pointwise:
        pixels = x.elements // in_c
        ints = {"pixels": pixels, "in_c": in_c}
        tail_bytes = 3 * channels if pixels % 3 else 0
    else:
        ints = {
            "height": x.shape[1], "width": x.shape[2], "in_c": in_c, "kernel_h": kernel_h, "kernel_w": kernel_w,
            "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
            "dilation_h": attrs.dilation_h, "dilation_w": attrs.dilation_w,
            "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_h": output.shape[1], "out_w": output.shape[2],
        }  # fmt: skip
        image = _padded_bytes(graph, op)
        spare = peak_of_others(graph, op) - live_bytes(graph, op) - where.scratch_bytes - 12 * depth
        padded = _is_padded(attrs) and image <= max(spare, _SMALL_BYTES)
        ints["padded"] = int(padded)
        tail_bytes = -(-3 * channels // 4) * 4 + (image if padded else in_c)
    ints |= {"channels": channels, "depth": depth, "parts": parts, "bytes": int(where.in_bytes), "out_pitch": channels}
    if not pointwise:
        ints["in_zero_point"] = x.zero_point
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(), *(Int(k, v) for k, v in ints.items()),
        *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_pointwise_v6m" if pointwise else "tml_conv2d_v6m", header=_HEADER,
        inputs=op.inputs[:1], args=args, consts=(pack(weights, where.in_bytes), product.requant.const),
        scratch_bytes=12 * depth + where.scratch_bytes + tail_bytes,
        in_place=((0, 0),) if pointwise and channels <= in_c else (),
    )  # fmt: skip
    cut = [f"sums in {parts} parts"] if parts > 1 else []
    return replace(step, reason="; ".join([*cut, explain(product.requant), where.reason]))


def _is_padded(attrs: Conv2DAttrs) -> bool:
    return bool(attrs.pad_top or attrs.pad_bottom or attrs.pad_left or attrs.pad_right)


def _padded_bytes(graph: Graph, op: Op) -> int:
    """Bytes of the rows and columns that all windows cover."""
    attrs = cast(Conv2DAttrs, op.attrs)
    _, kernel_h, kernel_w, in_c = constant(graph, op, 1).shape
    output = first_output(graph, op)
    rows = (output.shape[1] - 1) * attrs.stride_h + (kernel_h - 1) * attrs.dilation_h + 1
    columns = (output.shape[2] - 1) * attrs.stride_w + (kernel_w - 1) * attrs.dilation_w + 1
    size: int = rows * columns * in_c
    return size
