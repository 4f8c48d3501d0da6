"""DEPTHWISE_CONV_2D on ``tml_depthwise_conv2d_v6m``: three outputs of a channel in two words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.matrix_product import of_depthwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.v6m.requant import Form, Layer, explain, layer, raw_range
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_WIDTHS = (3, 5, 7)
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Bands:
    """The three equal parts of an output: their size, where the second and third begin, and along which axis."""

    rows: int
    columns: int
    second: int
    third: int
    vertical: bool


def bands(height: int, width: int) -> Bands:
    """Cut an output of ``height`` by ``width`` along the axis where fewer places are computed twice."""
    rows, columns = -(-height // 3), -(-width // 3)
    if rows * width <= columns * height:
        return Bands(rows, width, min(rows, height - rows), height - rows, True)
    return Bands(height, columns, min(columns, width - columns), width - columns, False)


def padded_width(kernel_w: int) -> int | None:
    """The width that a kernel row is filled up to with zeros, None where it is too wide."""
    return next((width for width in _WIDTHS if kernel_w <= width), None)


def op_layer(graph: Graph, op: Op, target: Target) -> Layer:
    """The op's channels as rows of ``kernel_h * kernel_w`` weights."""
    return layer(*of_depthwise(graph, op), target.isa)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """A kernel at most 7 wide, not dilated along rows; sums below 2^20; a fast requantisation."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    kernel_w = constant(graph, op, 1).shape[2]
    if padded_width(kernel_w) is None:
        return unfit(f"a kernel at most {_WIDTHS[-1]} wide, here {kernel_w}")
    if attrs.dilation_w != 1:
        return unfit(f"no dilation along rows, here {attrs.dilation_w}")
    product = op_layer(graph, op, target)
    low, high = raw_range(product.weights)
    if bool((low < -_LIMIT).any() or (high >= _LIMIT).any()):
        return unproven(f"sums may reach {int(max(high.max(), -low.min())):,}, which unpack below {_LIMIT:,}")
    if product.requant.form is Form.ANY or product.requant.reach_bits:
        return unproven(explain(product.requant))
    return APPLIES


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; in place where every channel has one output channel."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    kernel_h, kernel_w = constant(graph, op, 1).shape[1:3]
    padded = padded_width(kernel_w)
    assert padded is not None
    product = op_layer(graph, op, target)
    cut = bands(output.shape[1], output.shape[2])
    taps = product.weights.reshape(-1, kernel_h, kernel_w)
    weights = np.pad(taps, ((0, 0), (0, 0), (0, padded - kernel_w))).astype(np.int8)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "channels": x.shape[3], "multiplier": attrs.multiplier,
        "kernel_h": kernel_h, "kernel_w": padded, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "dilation_h": attrs.dilation_h, "pad_top": attrs.pad_top, "pad_left": attrs.pad_left,
        "out_w": output.shape[2], "rows": cut.rows, "columns": cut.columns,
        "band1": cut.second, "band2": cut.third, "vertical": int(cut.vertical),
        "in_pitch": x.shape[3], "out_pitch": output.shape[3],
        "in_zero_point": x.zero_point, "form": int(product.requant.form),
        "out_min": product.requant.clamps.low, "out_max": product.requant.clamps.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(), *(Int(k, v) for k, v in ints.items()),
    )  # fmt: skip
    plane_h = (cut.rows - 1) * attrs.stride_h + (kernel_h - 1) * attrs.dilation_h + 1
    places = plane_h * ((cut.columns - 1) * attrs.stride_w + padded)
    words = kernel_h * padded + 3 * product.requant.words.shape[1]
    step = make_step(
        graph, op, kernel="tml_depthwise_conv2d_v6m", header="tml_depthwise_conv2d_v6m.h", inputs=op.inputs[:1],
        args=args, consts=(Const("weights", weights, Role.WEIGHTS), product.requant.const),
        scratch_bytes=8 * places + 4 * words, in_place=((0, 0),) if attrs.multiplier == 1 else (),
    )  # fmt: skip
    return replace(step, reason=explain(product.requant))
