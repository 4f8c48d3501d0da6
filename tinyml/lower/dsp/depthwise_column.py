"""DEPTHWISE_CONV_2D with a kernel one column wide on ``tml_depthwise_column_dsp``, such as a filter over time."""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.lower.dsp.gemm import in_words
from tinyml.lower.dsp.requant import layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.matrix_product import of_depthwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit

_MOST_TAPS = 10
_GATHER = 12


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """A kernel of one column of at most 10 taps, not dilated along it, over whole columns."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    _, kernel_h, kernel_w, _ = constant(graph, op, 1).shape
    if kernel_w != 1 or kernel_h > _MOST_TAPS or attrs.dilation_h != 1:
        return unfit(f"a kernel of one column of at most {_MOST_TAPS} taps, not dilated, here {kernel_h}×{kernel_w}")
    if attrs.pad_left:
        return unfit(f"no padding to the left, here {attrs.pad_left}")
    return unfit("whole columns, not row by row") if target.by_rows else APPLIES


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; in place where each output byte lies in the column that it is made of."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    product = layer(*of_depthwise(graph, op))
    kernel_h = product.weights.shape[1]
    height, out_h = x.shape[1], output.shape[1]
    length = max(attrs.pad_top + height, (out_h - 1) * attrs.stride_h + kernel_h + kernel_h % 2)
    length += length % 2
    ints: dict[str, int] = {
        "height": height, "width": x.shape[2], "channels": x.shape[3], "multiplier": attrs.multiplier,
        "kernel_h": kernel_h, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w, "pad_top": attrs.pad_top,
        "out_h": out_h, "out_w": output.shape[2], "length": length,
        "gather": next(part for part in range(min(height, _GATHER), 0, -1) if height % part == 0),
        "in_pitch": x.shape[3], "out_pitch": output.shape[3], "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    padded = np.pad(product.weights, ((0, 0), (0, kernel_h % 2)))
    taps = in_words(padded[:, 0::2], padded[:, 1::2])
    heads = np.stack([product.bias + product.requant.start, product.requant.mul, product.requant.par], axis=1)
    streams = np.concatenate([heads.astype(np.int32), taps], axis=1).ravel()
    alike = attrs.multiplier == 1 and output.shape[2] == x.shape[2] and out_h <= height
    return make_step(
        graph, op, kernel="tml_depthwise_column_dsp", header="tml_depthwise_column_dsp.h", inputs=op.inputs[:1],
        args=args, consts=(Const("weights", streams, Role.WEIGHTS),), scratch_bytes=2 * length,
        in_place=((0, 0),) if alike else (),
    )  # fmt: skip
