"""What :class:`~tests.support.tflite_builder.Builder` lacks of ops that compute: functions that add one to a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.tflite_builder import Builder, Scales

Array = npt.NDArray[Any]

OPTIONS = {"GELU": "GeluOptions", "EXP": "ExpOptions", "ABS": "AbsOptions"}


def curve(b: Builder, kind: str, x: int, *, scale: float = 0.1, zero_point: int = 0, **fields: Any) -> int:
    """GELU, EXP, LOG, RSQRT, SQRT or ABS."""
    output = b.tensor(b.values[x].shape, scale=scale, zero_point=zero_point)
    return b.op(kind, [x], [output], OPTIONS.get(kind, ""), **fields)


def broadcast(b: Builder, kind: str, x: int, y: int, *, scale: float = 0.1, zero_point: int = 0) -> int:
    """SQUARED_DIFFERENCE, PRELU or DIV, broadcast."""
    shape = np.broadcast_shapes(b.values[x].shape, b.values[y].shape)
    options = {"SQUARED_DIFFERENCE": "SquaredDifferenceOptions", "DIV": "DivOptions"}.get(kind, "")
    return b.op(kind, [x, y], [b.tensor(shape, scale=scale, zero_point=zero_point)], options)


def batch_matmul(
    b: Builder, x: int, y: int, *, adj_x: bool = False, adj_y: bool = False, scale: float = 0.1, zero_point: int = 0
) -> int:
    """BATCH_MATMUL."""
    left, right = list(b.values[x].shape), list(b.values[y].shape)
    rows, columns = left[-1 if adj_x else -2], right[-2 if adj_y else -1]
    shape = (*np.broadcast_shapes(tuple(left[:-2]), tuple(right[:-2])), rows, columns)
    output = b.tensor(shape, scale=scale, zero_point=zero_point)
    return b.op("BATCH_MATMUL", [x, y], [output], "BatchMatMulOptions", adjX=adj_x, adjY=adj_y)


def transpose_conv(
    b: Builder,
    x: int,
    weights: Array,
    weight_scale: Scales = 0.01,
    bias: Array | None = None,
    *,
    scale: float = 0.1,
    zero_point: int = 0,
    stride: tuple[int, int] = (2, 2),
    padding: str = "SAME",
    activation: str = "NONE",
    size: tuple[int, int] | None = None,
) -> int:
    """TRANSPOSE_CONV: ``weights`` int8 [O, KH, KW, C]; the output's ``size`` is what Keras gives it, or another."""
    source, sides = b.values[x], []
    for d in (0, 1):
        spread = source.shape[1 + d] * stride[d]
        sides.append(spread if padding == "SAME" else spread + max(weights.shape[1 + d] - stride[d], 0))
    shape = (1, *(size or sides), weights.shape[0])
    inputs = [b.constant(np.array(shape, np.int32)), b.constant(weights.astype(np.int8), scale=weight_scale), x]
    if bias is not None:
        scales = np.float32(source.scale) * np.atleast_1d(np.asarray(weight_scale, np.float32))
        inputs.append(b.constant(bias.astype(np.int32), scale=scales.tolist()))
    return b.op(
        "TRANSPOSE_CONV", inputs, [b.tensor(shape, scale=scale, zero_point=zero_point)], "TransposeConvOptions",
        padding=padding, strideH=stride[0], strideW=stride[1], fusedActivationFunction=activation,
    )  # fmt: skip


def resize_bilinear(
    b: Builder, x: int, size: tuple[int, int], *, align_corners: bool = False, half_pixel_centers: bool = False
) -> int:
    """RESIZE_BILINEAR."""
    source = b.values[x]
    output = b.tensor((1, *size, source.shape[3]), scale=source.scale, zero_point=source.zero_point)
    return b.op(
        "RESIZE_BILINEAR", [x, b.constant(np.array(size, np.int32))], [output], "ResizeBilinearOptions",
        alignCorners=align_corners, halfPixelCenters=half_pixel_centers,
    )  # fmt: skip


def normalised(b: Builder, kind: str, x: int) -> int:
    """L2_NORMALIZATION or LOG_SOFTMAX, with the output quantisation that TFLite asks for."""
    scale, zero_point = {"L2_NORMALIZATION": (1 / 128, 0), "LOG_SOFTMAX": (1 / 16, 127)}[kind]
    options = {"L2_NORMALIZATION": "L2NormOptions", "LOG_SOFTMAX": "LogSoftmaxOptions"}[kind]
    return b.op(kind, [x], [b.tensor(b.values[x].shape, scale=scale, zero_point=zero_point)], options)
