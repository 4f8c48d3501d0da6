"""Functions of one 8-bit value as tables of 256 results, computed as TFLite computes them.

A table is a list of the results for the input's smallest to its largest value. Sources: TFLite
``kernels/activations.cc``, ``kernels/internal/common.h`` (LUTPopulate), ``reference/hard_swish.h``,
``reference/leaky_relu.h``, ``reference/reference_ops.h`` (ReluX), ``reference/requantize.h``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinyml.graph.fixed_point import (
    high_mul16,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
    rounding_shift,
    saturating_left_shift,
    wrap32,
)
from tinyml.graph.ir import Tensor
from tinyml.graph.quantisation import Range, dtype_range

Table = list[int]


def input_values(x: Tensor) -> range:
    """The values that an 8-bit input takes, ascending."""
    values = dtype_range(x.dtype)
    return range(values.low, values.high + 1)


def clamp(value: int, clamps: Range) -> int:
    """``value`` within a range."""
    return max(clamps.low, min(clamps.high, value))


def float_table(x: Tensor, out: Tensor, function: Callable[[float], float]) -> Table:
    """LUTPopulate: dequantise, apply and quantise in float32; beyond float32's range is beyond the output's."""
    inverse_scale = np.float32(1) / np.float32(out.scale)
    table = []
    for value in input_values(x):
        real = np.float32(x.scale) * np.float32(value - x.zero_point)
        result = np.float32(function(float(real)))
        scaled = float(result * inverse_scale)
        if math.isinf(scaled):
            table.append(dtype_range(out.dtype).high if scaled > 0 else dtype_range(out.dtype).low)
            continue
        rounded = np.float32(round_half_away(scaled))
        table.append(clamp(int(rounded + np.float32(out.zero_point)), dtype_range(out.dtype)))
    return table


def _logistic(value: float) -> float:
    try:
        exponential = np.float32(math.exp(-value))
    except OverflowError:
        exponential = np.float32(np.inf)
    with np.errstate(over="ignore"):
        return float(np.float32(1) / (np.float32(1) + exponential))


def logistic(x: Tensor, out: Tensor) -> Table:
    """LOGISTIC: ``1 / (1 + exp(-x))`` in float32."""
    with np.errstate(over="ignore"):
        return float_table(x, out, _logistic)


def tanh(x: Tensor, out: Tensor) -> Table:
    """TANH in float32."""
    return float_table(x, out, math.tanh)


def rescaled(x: Tensor, out: Tensor, effective_scale: float, clamps: Range) -> Table:
    """``round((q - zp_in) * effective_scale) + zp_out`` with TFLite's two roundings, clamped."""
    multiplier, shift = quantize_multiplier(effective_scale)
    return [
        clamp(
            wrap32(multiply_by_quantized_multiplier(value - x.zero_point, multiplier, shift) + out.zero_point), clamps
        )
        for value in input_values(x)
    ]


def requantise(x: Tensor, out: Tensor) -> Table:
    """QUANTIZE from one 8-bit type to another; the scales are divided in float64."""
    return rescaled(x, out, x.scale / out.scale, dtype_range(out.dtype))


def relu(x: Tensor, out: Tensor, low: float, high: float) -> Table:
    """RELU, RELU6 and RELU_N1_TO_1 as ops of their own; the scales are divided in float32."""
    full = dtype_range(out.dtype)
    scale = np.float32(out.scale)
    bounds = Range(
        max(full.low, out.zero_point + round_half_away(float(np.float32(low) / scale))),
        full.high
        if math.isinf(high)
        else min(full.high, out.zero_point + round_half_away(float(np.float32(high) / scale))),
    )
    return rescaled(x, out, float(np.float32(x.scale) / scale), bounds)


def leaky_relu(x: Tensor, out: Tensor, alpha: float) -> Table:
    """LEAKY_RELU: one multiplier for each sign, computed in float32; a negative alpha negates the product."""
    scale_in, scale_out = np.float32(x.scale), np.float32(out.scale)
    identity = quantize_multiplier(float(scale_in / scale_out))
    slope = float(scale_in * np.float32(alpha) / scale_out)
    multiplier, shift = quantize_multiplier(abs(slope))
    table = []
    for value in input_values(x):
        centred = value - x.zero_point
        if centred >= 0:
            scaled = multiply_by_quantized_multiplier(centred, *identity)
        else:
            scaled = multiply_by_quantized_multiplier(centred, multiplier, shift) * (-1 if slope < 0 else 1)
        table.append(clamp(wrap32(scaled + out.zero_point), dtype_range(out.dtype)))
    return table


def _multiplier16(real: np.float32) -> tuple[int, int]:
    """QuantizeMultiplier followed by DownScaleInt32ToInt16Multiplier."""
    multiplier, exponent = quantize_multiplier(float(real))
    if multiplier >= 2**31 - 1 - 2**15:
        return 2**15 - 1, exponent
    return (multiplier + 2**15) >> 16, exponent


def hard_swish(x: Tensor, out: Tensor) -> Table:
    """HARD_SWISH in 16-bit fixed point."""
    hires_scale = np.float32(1.0 / 128.0) * np.float32(x.scale)
    out_multiplier, out_exponent = _multiplier16(hires_scale / np.float32(out.scale))
    relu_multiplier, relu_exponent = _multiplier16(hires_scale / np.float32(3.0 / 32768.0))
    table = []
    for value in input_values(x):
        hires = (value - x.zero_point) * 128
        preshift = high_mul16(hires, out_multiplier)
        reluish = hires
        if relu_exponent > 0:
            reluish = saturating_left_shift(reluish, relu_exponent - 1, bits=16)
        reluish = high_mul16(reluish, relu_multiplier)
        if relu_exponent > 0:
            reluish = saturating_left_shift(reluish, 1, bits=16)
        if relu_exponent < 0:
            reluish = rounding_shift(reluish, -relu_exponent)
        reluish = (reluish + 2**15) >> 1
        product = reluish * preshift
        truncated = product // 2**15 if product >= 0 else -(-product // 2**15)
        result = rounding_shift(truncated, -out_exponent) + out.zero_point
        table.append(clamp(result, dtype_range(out.dtype)))
    return table
