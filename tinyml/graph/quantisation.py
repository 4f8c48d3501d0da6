"""Ranges and scales of quantised tensors, as TFLite computes them.

Sources: TFLite ``kernels/kernel_util.cc`` (PopulateConvolutionQuantizationParams, CalculateActivationRangeQuantized)
and ``kernels/internal/reference/integer_ops/fully_connected.h`` of LiteRT 2.x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from tinyml.graph.fixed_point import round_half_away
from tinyml.graph.ir import Activation, DType, Quant, Tensor


@dataclass(frozen=True, slots=True)
class Range:
    """The inclusive range to which an output is clamped."""

    low: int
    high: int


@cache
def dtype_range(dtype: DType) -> Range:
    """The values of an integer type."""
    info = np.iinfo(dtype.numpy)
    return Range(int(info.min), int(info.max))


def quantize_float32(value: float, scale: float, zero_point: int) -> int:
    """``round(value / scale) + zero_point`` divided in float32 as CalculateActivationRangeQuantized does."""
    with np.errstate(over="ignore"):
        quotient = np.float32(value) / np.float32(scale)
    if not np.isfinite(quotient):
        return int(np.sign(quotient)) * 2**31
    return round_half_away(float(quotient)) + zero_point


def activation_range(activation: Activation, output: Tensor) -> Range:
    """Where a fused activation clamps ``output`` (CalculateActivationRangeQuantized)."""
    full = dtype_range(output.dtype)

    def at(value: float) -> int:
        return quantize_float32(value, output.scale, output.zero_point)

    if activation is Activation.RELU:
        return Range(max(full.low, at(0.0)), full.high)
    if activation is Activation.RELU6:
        return Range(max(full.low, at(0.0)), min(full.high, at(6.0)))
    if activation is Activation.RELU_N1_TO_1:
        return Range(max(full.low, at(-1.0)), min(full.high, at(1.0)))
    return full


def effective_scales(input_scale: float, weights: Quant, output_scale: float, channels: int) -> list[float]:
    """``input_scale * weight_scale / output_scale`` in float64 for each output channel."""
    scales = weights.scales if weights.per_channel else weights.scales * channels
    return [input_scale * scale / output_scale for scale in scales]


def reference_single_rounding(accumulator: int, scale: float) -> int:
    """What LiteRT 2.x does with the accumulator of FULLY_CONNECTED: ``round(double(acc) * scale)``."""
    return round_half_away(float(accumulator) * scale)
