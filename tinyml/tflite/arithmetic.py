"""Parsers of ops that compute: matrix products, transposed convolutions, interpolation, further functions.

Source of the padding: TFLite ``kernels/padding.h`` and ``kernels/transpose_conv.cc``.
"""

from __future__ import annotations

from collections.abc import Callable

from tinyml.graph.ops import Attrs, BatchMatMulAttrs, BinaryAttrs, GeluAttrs, ResizeBilinearAttrs, TransposeConvAttrs
from tinyml.tflite.context import Context, Parsed, same_or_valid
from tinyml.tflite.flatbuffer import damaged


def batch_matmul(context: Context) -> Parsed:
    """BATCH_MATMUL."""
    options = context.options("BatchMatMulOptions")
    return BatchMatMulAttrs(bool(options.AdjX()), bool(options.AdjY())), 2


def transpose_conv(context: Context) -> Parsed:
    """TRANSPOSE_CONV: the output's shape is input 0, the weights input 1, x input 2, the bias input 3."""
    options = context.options("TransposeConvOptions")
    wanted = context.integers(0, "output shape")
    shape, weights = context.output.shape, context.input(1).shape
    if wanted != shape:
        raise damaged(f"{context.where} gives the shape {list(wanted)}, its output has {list(shape)}")
    if len(shape) != 4 or len(weights) != 4 or len(context.input(2).shape) != 4:
        raise damaged(f"{context.where} has an output of shape {list(shape)} and weights of {list(weights)}")
    stride_h, stride_w = int(options.StrideH()), int(options.StrideW())
    padding = int(options.Padding())
    attrs = TransposeConvAttrs(
        stride_h=stride_h,
        stride_w=stride_w,
        pad_top=same_or_valid(context.where, padding, shape[1], weights[1], stride_h, 1)[0],
        pad_left=same_or_valid(context.where, padding, shape[2], weights[2], stride_w, 1)[0],
        activation=context.activation(options),
    )
    return attrs, (2, 1, 3)


def resize_bilinear(context: Context) -> Parsed:
    """RESIZE_BILINEAR; the size is a constant and the output's."""
    options = context.options("ResizeBilinearOptions")
    wanted = context.integers(1, "size")
    if wanted != context.output.shape[1:3]:
        raise damaged(f"{context.where} gives the size {list(wanted)}, its output has {list(context.output.shape)}")
    return ResizeBilinearAttrs(bool(options.AlignCorners()), bool(options.HalfPixelCenters())), 1


def gelu(context: Context) -> Parsed:
    """GELU."""
    return GeluAttrs(bool(context.options("GeluOptions").Approximate())), 1


def _plain(inputs: int) -> Callable[[Context], Parsed]:
    def parse(context: Context) -> Parsed:
        return Attrs(), inputs

    return parse


def div(context: Context) -> Parsed:
    """DIV."""
    return BinaryAttrs(context.activation(context.options("DivOptions"))), 2


ARITHMETIC_PARSERS: dict[str, Callable[[Context], Parsed]] = {
    "BATCH_MATMUL": batch_matmul,
    "TRANSPOSE_CONV": transpose_conv,
    "RESIZE_BILINEAR": resize_bilinear,
    "SQUARED_DIFFERENCE": _plain(2),
    "PRELU": _plain(2),
    "DIV": div,
    "GELU": gelu,
    "EXP": _plain(1),
    "LOG": _plain(1),
    "RSQRT": _plain(1),
    "SQRT": _plain(1),
    "ABS": _plain(1),
    "L2_NORMALIZATION": _plain(1),
    "LOG_SOFTMAX": _plain(1),
}
