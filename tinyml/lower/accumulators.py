"""What the accumulators of a matrix product can be, proven from its weights; inputs are -128..127.

The input's zero point is folded into the biases. Channels whose output never changes are rewritten as the constant
they are: converters give dead channels biases near 2^30 and multipliers near 0 or very large, which would cost all
other channels the fast forms.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyml.graph.fixed_point import INT32_MAX, INT32_MIN, multiply_by_quantized_multiplier
from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range

Ints64 = npt.NDArray[np.int64]

CONSTANT_UNIT, CONSTANT_SCALE = 16, (1 << 30, -3)
"""16 times a number under this multiplier and shift is the number again, with either rounding."""
_ROUNDINGS = 4.0
"""More than what the roundings of two outputs can take from the distance of the real numbers."""


def accumulator_range(weights: Ints64, bias: Ints64) -> tuple[Ints64, Ints64]:
    """The exact extremes of each channel's accumulator over inputs of -128..127, by the signs of its weights.

    ``weights`` are [channels, inputs], ``bias`` is [channels].
    """
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    return bias - 128 * positive + 127 * negative, bias + 127 * positive - 128 * negative


def output_of(
    accumulator: int, scale: tuple[int, int], rounding: Rounding, zero_point: int, clamps: Range
) -> int | None:
    """The output for one accumulator, None where an int32 would overflow on the way; ``scale`` is multiplier, shift."""
    multiplier, shift = scale
    if not INT32_MIN <= accumulator << max(shift, 0) <= INT32_MAX:
        return None
    if rounding is Rounding.SINGLE:
        scaled = (accumulator * multiplier + (1 << (30 - shift))) >> (31 - shift)
    else:
        scaled = multiply_by_quantized_multiplier(accumulator, multiplier, shift)
    return min(max(scaled + zero_point, clamps.low), clamps.high)


def constant_output(
    ends: tuple[int, int], scale: tuple[int, int], rounding: Rounding, zero_point: int, clamps: Range
) -> int | None:
    """The output of a channel whose accumulators lie between ``ends`` where it is always the same; None otherwise."""
    low, high = (output_of(end, scale, rounding, zero_point, clamps) for end in ends)
    return low if low == high else None


def constant_channels(
    lowest: Ints64, highest: Ints64, scales: Ints64, rounding: Rounding, zero_point: int, clamps: Range
) -> dict[int, int]:
    """The outputs of channels that have a single one, by channel: :func:`constant_output` of each.

    ``scales`` are [channels, 2], multipliers and shifts. Channels whose ends lie further apart than both roundings can
    move them are sorted out in floating point first, which is nearly all of them.
    """
    slopes = np.ldexp(scales[:, 0].astype(np.float64), scales[:, 1] - 31)
    low, high = (np.clip(ends * slopes + zero_point, clamps.low, clamps.high) for ends in (lowest, highest))
    found = {}
    for channel in np.flatnonzero(np.abs(high - low) <= _ROUNDINGS):
        ends = int(lowest[channel]), int(highest[channel])
        scale = int(scales[channel, 0]), int(scales[channel, 1])
        value = constant_output(ends, scale, rounding, zero_point, clamps)
        if value is not None:
            found[int(channel)] = value
    return found
