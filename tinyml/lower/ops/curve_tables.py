"""Tables of GELU, EXP, LOG, RSQRT, SQRT and ABS, computed as TFLite computes them.

Sources: TFLite ``kernels/elementwise.cc``, ``kernels/exp.cc``, ``kernels/activations.cc`` and ``reference/gelu.h``,
``kernels/internal/common.h`` (LUTPopulate, GetInvSqrtQuantizedMultiplierExp).
"""

from __future__ import annotations

import math

import numpy as np

from tinyml.graph.fixed_point import (
    high_mul,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_shift,
    saturating_left_shift,
    wrap32,
)
from tinyml.graph.ir import Tensor
from tinyml.graph.quantisation import dtype_range
from tinyml.lower.ops.tables import Table, clamp, float_table, input_values

_ROOT_HALF = np.float32(-math.sqrt(0.5))
_ROOT_TWO_OVER_PI = np.float32(math.sqrt(2 / math.pi))
_RSQRT_SHIFT = 20


def _gelu(value: float) -> float:
    x = np.float32(value)
    return float(np.float32(0.5) * x * np.float32(math.erfc(float(x * _ROOT_HALF))))


def _gelu_by_tanh(value: float) -> float:
    x = np.float32(value)
    inner = _ROOT_TWO_OVER_PI * (x + np.float32(0.044715) * x * x * x)
    return float(np.float32(0.5) * x * (np.float32(1) + np.float32(math.tanh(float(inner)))))


def gelu(x: Tensor, out: Tensor, approximate: bool) -> Table:
    """GELU in float32."""
    with np.errstate(over="ignore"):
        return float_table(x, out, _gelu_by_tanh if approximate else _gelu)


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def exp(x: Tensor, out: Tensor) -> Table:
    """EXP in float32."""
    with np.errstate(over="ignore"):
        return float_table(x, out, _exp)


def log(x: Tensor, out: Tensor) -> Table:
    """LOG in float32; what is not positive becomes the smallest output."""
    smallest = float(np.float32(dtype_range(out.dtype).low - out.zero_point) * np.float32(out.scale))
    return float_table(x, out, lambda value: math.log(value) if value > 0 else smallest)


def inverse_root(value: int) -> tuple[int, int]:
    """GetInvSqrtQuantizedMultiplierExp: ``1 / sqrt(value)`` as ``multiplier * 2^(shift - 31)``, value not negative."""
    if value <= 1:
        return 2**31 - 1, 0
    right_shift = 11
    while value >= 1 << 29:
        value //= 4
        right_shift += 1
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    right_shift -= pairs
    value <<= 2 * pairs
    scaled = value >> 1
    half = rounding_shift(scaled, 1)
    half_three = (1 << 28) + (1 << 27)
    x = 1 << 28
    for _ in range(5):
        cube = saturating_left_shift(high_mul(high_mul(x, x), x), 6)
        x = saturating_left_shift(wrap32(high_mul(half_three, x) - high_mul(half, cube)), 3)
    multiplier = high_mul(x, 1518500250)
    if right_shift < 0:
        return wrap32(multiplier << -right_shift), 0
    return multiplier, -right_shift


def rsqrt(x: Tensor, out: Tensor) -> Table:
    """RSQRT in fixed point; zero becomes the largest output."""
    full = dtype_range(out.dtype)
    root = np.sqrt(np.float32(x.scale)) * np.float32(out.scale)
    multiplier, shift = quantize_multiplier(1.0 / float(root))
    table = []
    for value in input_values(x):
        centred = value - x.zero_point
        if centred <= 0:
            table.append(full.high)
            continue
        inverse, inverse_shift = inverse_root(centred)
        data = multiply_by_quantized_multiplier(1, inverse, inverse_shift + _RSQRT_SHIFT)
        scaled = multiply_by_quantized_multiplier(data, multiplier, shift - _RSQRT_SHIFT)
        table.append(clamp(wrap32(scaled + out.zero_point), full))
    return table


def absolute(x: Tensor, out: Tensor) -> Table:
    """ABS: magnitudes rescaled with two roundings, the scales divided in float32."""
    full = dtype_range(out.dtype)
    table = []
    multiplier, shift = quantize_multiplier(float(np.float32(x.scale) / np.float32(out.scale)))
    for value in input_values(x):
        magnitude = abs(value - x.zero_point)
        if x.scale != out.scale:
            magnitude = multiply_by_quantized_multiplier(magnitude, multiplier, shift)
        table.append(clamp(wrap32(magnitude + out.zero_point), full))
    return table


def sqrt(x: Tensor, out: Tensor) -> Table:
    """SQRT in float32, cut off instead of rounded (as LiteRT 2.3's reference kernel was seen to do)."""
    table = []
    for value in input_values(x):
        root = np.sqrt(np.float32(max(0, value - x.zero_point)) * np.float32(x.scale)) / np.float32(out.scale)
        table.append(clamp(int(root) + out.zero_point, dtype_range(out.dtype)))
    return table
