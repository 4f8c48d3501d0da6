"""From scales to the integers that turn an accumulator into an int8 output.

Sources: TFLite ``kernels/kernel_util.cc`` (PopulateConvolutionQuantizationParams, CalculateActivationRangeQuantized),
``kernels/fully_connected.cc`` and ``kernels/internal/reference/integer_ops/fully_connected.h`` of LiteRT 2.x.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.errors import UnsupportedError
from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.quantisation import Range, reference_single_rounding
from tinyml.lower.program import Const, Role

_MAX_SHIFT = 30


class NoIntegerMultiplierError(UnsupportedError):
    """LiteRT's float64 rounding of FULLY_CONNECTED has no integer equivalent for the accumulators that can occur."""


@dataclass(frozen=True, slots=True)
class Multipliers:
    """One multiplier and shift for each output channel, meaning ``multiplier * 2^(shift - 31)``."""

    multipliers: tuple[int, ...]
    shifts: tuple[int, ...]

    @property
    def max_shift(self) -> int:
        """The largest shift: kernels leave out the code of a left shift where it is not positive."""
        return max(self.shifts)

    def consts(self) -> tuple[Const, Const]:
        """The two arrays."""
        return (
            Const("multipliers", np.array(self.multipliers, np.int32), Role.REQUANT),
            Const("shifts", np.array(self.shifts, np.int8), Role.REQUANT, align_bytes=1),
        )


def double_rounding(scales: Sequence[float]) -> Multipliers:
    """Multipliers of TFLite's two roundings, one for each effective scale."""
    pairs = [_checked(quantize_multiplier(scale), scale) for scale in scales]
    return Multipliers(tuple(m for m, _ in pairs), tuple(s for _, s in pairs))


def single_rounding(scales: Sequence[float], reach: Sequence[Range], clamps: Range, zero_point: int) -> Multipliers:
    """Integers for which ``(acc * multiplier + 2^(30 - shift)) >> (31 - shift)`` is LiteRT's float64 rounding.

    LiteRT 2.x rounds ``acc * scale`` in float64, halves away from zero. Both functions are monotonic in ``acc`` and
    only matter between the clamps, so that they are equal when they step at the same accumulators. Each step that lies
    within ``reach``, the accumulators that a channel's weights allow, bounds the multiplier from both sides; any
    multiplier between all the bounds is exact, and the one nearest to the scale is taken. A tie needs a multiplier
    a little above the exact one, which rounds halves away from zero on both sides. Raises
    :class:`NoIntegerMultiplierError` where no integer lies between the bounds, as happens with accumulators above 2^24.
    """
    pairs = [
        _single_rounding_multiplier(scale, accumulators, clamps, zero_point)
        for scale, accumulators in zip(scales, reach, strict=True)
    ]
    return Multipliers(tuple(m for m, _ in pairs), tuple(s for _, s in pairs))


def _checked(pair: tuple[int, int], scale: float) -> tuple[int, int]:
    if pair[1] > _MAX_SHIFT:
        raise UnsupportedError(
            f"an effective scale of {scale:g} is too large for TFLite's multipliers (2^{_MAX_SHIFT} at most)",
            hint="convert the model again with another representative data set",
        )
    return pair


def _single_rounding_multiplier(scale: float, reach: Range, clamps: Range, zero_point: int) -> tuple[int, int]:
    multiplier, shift = _checked(quantize_multiplier(scale), scale)
    total = 31 - shift
    half = 1 << (total - 1)
    low, high = 0, 2**31 - 1
    for accumulator, step, reached in _steps(scale, reach, Range(clamps.low - zero_point, clamps.high - zero_point)):
        # Reached: accumulator * multiplier >= bound; not reached: accumulator * multiplier < bound.
        bound = (step << total) - half
        if accumulator == 0:
            low, high = (low, high) if (bound <= 0) == reached else (1, 0)
        elif accumulator > 0:
            first = -(-bound // accumulator)
            low, high = (max(low, first), high) if reached else (low, min(high, first - 1))
        else:
            last = -bound // -accumulator
            low, high = (low, min(high, last)) if reached else (max(low, last + 1), high)
    if low > high:
        raise NoIntegerMultiplierError(
            f"no integer multiplier reproduces the rounding of an effective scale of {scale!r}",
            hint="convert the model again with another representative data set, or use --match tflm",
        )
    return min(max(multiplier, low), high), shift


def _steps(scale: float, reach: Range, results: Range) -> Iterator[tuple[int, int, bool]]:
    """(accumulator, result, whether at least that result is reached there): all that fixes a monotonic function."""

    def reference(accumulator: int) -> int:
        return max(results.low, min(results.high, reference_single_rounding(accumulator, scale)))

    for end in (reach.low, reach.high):
        if reference(end) > results.low:
            yield end, reference(end), True
        if reference(end) < results.high:
            yield end, reference(end) + 1, False
    for result in range(reference(reach.low) + 1, reference(reach.high) + 1):
        first = math.ceil((result - 0.5) / scale)
        while reference_single_rounding(first - 1, scale) >= result:
            first -= 1
        while reference_single_rounding(first, scale) < result:
            first += 1
        yield first, result, True
        yield first - 1, result, False


def fold_input_zero_point(
    bias: npt.NDArray[np.int32] | None, weight_sums: npt.NDArray[np.int64], input_zero_point: int
) -> npt.NDArray[np.int32]:
    """``b - zp * sum(w)`` modulo 2^32: the bias for which ``sum(w * (x - zp)) + b = sum(w * x) + folded``.

    ``bias`` and ``weight_sums`` have one value for each output channel.
    """
    start = np.zeros_like(weight_sums) if bias is None else bias.astype(np.int64)
    folded: npt.NDArray[np.int32] = (start - input_zero_point * weight_sums).astype(np.int32)
    return folded
