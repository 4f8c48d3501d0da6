"""The integer arithmetic of gemmlowp and TFLite, in Python integers, for tables that are computed at compile time.

Sources: gemmlowp ``fixedpoint/fixedpoint.h``; TFLite ``kernels/internal/common.cc`` and ``quantization_util.cc``.
Everything here is exact and wraps or saturates where a 32-bit C implementation on a two's complement machine does.
"""

from __future__ import annotations

import math

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1


def wrap32(value: int) -> int:
    """``value`` modulo 2^32 as a signed 32-bit number, which is what overflow does in TFLite's compiled kernels."""
    return (value + 2**31) % 2**32 - 2**31


def round_half_away(value: float) -> int:
    """C's ``round``: to nearest, halves away from zero."""
    floor = math.floor(value)
    fraction = value - floor
    return floor + (fraction > 0.5 or (fraction == 0.5 and value > 0))


def high_mul(a: int, b: int) -> int:
    """gemmlowp's SaturatingRoundingDoublingHighMul of 32-bit numbers: ``round(a * b / 2^31)``."""
    if a == b == INT32_MIN:
        return INT32_MAX
    return (a * b + 2**30) >> 31


def high_mul16(a: int, b: int) -> int:
    """The same for 16-bit numbers: ``round(a * b / 2^15)``."""
    if a == b == -(2**15):
        return 2**15 - 1
    return (a * b + 2**14) >> 15


def rounding_shift(value: int, exponent: int) -> int:
    """gemmlowp's RoundingDivideByPOT: ``value / 2^exponent`` to nearest, halves away from zero."""
    if exponent == 0:
        return value
    return (value + (1 << (exponent - 1)) - (value < 0)) >> exponent


def saturating_left_shift(value: int, exponent: int, bits: int = 32) -> int:
    """``value * 2^exponent``, saturated to ``bits`` bits."""
    limit = 1 << (bits - 1)
    return max(-limit, min(limit - 1, value << exponent))


def quantize_multiplier(real: float) -> tuple[int, int]:
    """TFLite's QuantizeMultiplier: ``real`` (float64, not negative) as ``multiplier * 2^(shift - 31)``.

    ``multiplier`` lies in [2^30, 2^31); below 2^-31 it is flushed to (0, 0).
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * 2.0**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def multiply_by_quantized_multiplier(value: int, multiplier: int, shift: int) -> int:
    """TFLite's MultiplyByQuantizedMultiplier with two roundings; the left shift wraps as it does there."""
    left, right = max(shift, 0), max(-shift, 0)
    return rounding_shift(high_mul(wrap32(value << left), multiplier), right)
