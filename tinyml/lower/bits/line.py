"""From a number of differing bits to an output: one line a channel, proven for every number that can occur."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range

Ints64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

_INT32 = 2**31
_STEEPEST = 512.0
"""Outputs a differing bit: two of them are further apart than all codes, so a steeper line is no better."""
_MOST_SHIFT, _TRIED_SHIFTS = 24, 6
_NUDGES = (0, 1, -1, 2, -2)


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """A matrix product of bits: its sums and how they become outputs.

    ``signs`` are [channels, taps, depth] of -1 and 1, a weight over ``weight``. An input is ``low`` where its bit is 0
    and ``high`` where it is 1, of which either may be the larger; ``zero_point`` stands where a window leaves the
    input. ``bias`` has the zero point folded in. ``scales`` are [channels, 2] of multiplier and shift, or with a
    single rounding [channels] of float64.
    """

    signs: npt.NDArray[np.int8]
    weight: int
    low: int
    high: int
    zero_point: int
    bias: Ints64
    scales: npt.NDArray[np.float64] | Ints64
    rounding: Rounding
    out_zero_point: int
    clamps: Range

    @property
    def tap_sums(self) -> Ints64:
        """[channels, taps]: the sums of the signs."""
        return np.asarray(self.signs.sum(axis=2, dtype=np.int64))

    @property
    def slopes(self) -> npt.NDArray[np.float64]:
        """[channels]: outputs for one more of a channel's sum of signs times codes."""
        if self.rounding is Rounding.SINGLE:
            return self.weight * np.asarray(self.scales, np.float64)
        scales = np.asarray(self.scales, np.int64)
        return self.weight * np.ldexp(scales[:, 0].astype(np.float64), scales[:, 1] - 31)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The output is ``(multiplier * X + start + outside * S) >> shift``, clamped.

    X counts the bits that differ, S is the sum of the signs of the taps outside of the input. Where it is an
    ``accumulator`` instead, the sum before the shift is the reference's, still to be requantised.
    """

    multiplier: Words
    start: Words
    outside: Words
    shift: int
    accumulator: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """All that can occur with the same taps ``out`` of the input: X is ``first`` to ``first + count - 1``."""

    first: Ints64
    count: int
    sums: Ints64
    outputs: npt.NDArray[np.int16]


def find_line(layer: Binary, outs: list[Bools]) -> Line | None:
    """One line for each channel and a shift for all of them, or else the accumulators of two roundings.

    Two roundings round halves away from zero, which below it is one unit of the first rounding too late for a line
    that is right above. None where a single rounding has no line.

    ``outs`` are the sets of taps that can lie outside of the input together, as [taps].
    """
    cases = [_case(layer, out) for out in outs]
    bits = layer.signs.shape[1] * layer.signs.shape[2]
    least = np.min([case.outputs.min(axis=1) for case in cases], axis=0)
    still: Bools = least == np.max([case.outputs.max(axis=1) for case in cases], axis=0)
    a_bit, a_sum = (low_high * layer.slopes for low_high in (layer.low - layer.high, layer.zero_point - layer.low))
    less = np.minimum(1.0, _STEEPEST / np.maximum(np.abs(a_bit), 1e-30))
    a_bit, a_sum = np.where(still, 0.0, a_bit * less), np.where(still, 0.0, a_sum * less)
    reach = float(np.abs(a_bit).max()) * bits + float(np.abs(a_sum).max()) * bits + 512
    most = min(_MOST_SHIFT, int(np.floor(31 - np.log2(reach))))
    for shift in range(most, max(most - _TRIED_SHIFTS, 0), -1):
        found = _with_shift(layer, cases, shift, a_bit, a_sum, least, still)
        if found is not None:
            return found
    return None if layer.rounding is Rounding.SINGLE else _accumulators(layer)


def _accumulators(layer: Binary) -> Line:
    channels = len(layer.signs)
    sums = layer.tap_sums.sum(axis=1)
    ones = (sums + layer.signs.shape[1] * layer.signs.shape[2]) // 2
    start = layer.weight * (layer.low * sums + (layer.high - layer.low) * ones) + layer.bias
    a_bit, a_sum = layer.weight * (layer.low - layer.high), layer.weight * (layer.zero_point - layer.low)
    return Line(
        np.full(channels, a_bit, np.int32), _wrap32(start).astype(np.int32), np.full(channels, a_sum, np.int32), 0, True
    )


def _with_shift(
    layer: Binary,
    cases: list[_Case],
    shift: int,
    a_bit: npt.NDArray[np.float64],
    a_sum: npt.NDArray[np.float64],
    least: npt.NDArray[np.int16],
    still: Bools,
) -> Line | None:
    channels = len(layer.signs)
    words = np.zeros((3, channels), np.int64)
    words[1] = (least.astype(np.int64) << shift) + (1 << shift >> 1)
    outside = np.rint(np.ldexp(a_sum, shift)).astype(np.int64)
    open_ = ~still
    for nudge in _NUDGES:
        multiplier = np.rint(np.ldexp(a_bit, shift)).astype(np.int64) + nudge
        low, high = np.full(channels, -(2**62)), np.full(channels, 2**62)
        smallest, largest = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
        for case in cases:
            x = case.first[:, None] + np.arange(case.count)
            value = multiplier[:, None] * x + (outside * case.sums)[:, None]
            needed = case.outputs.astype(np.int64) << shift
            low = np.maximum(low, np.where(case.outputs > layer.clamps.low, needed - value, -(2**62)).max(axis=1))
            over = needed + (1 << shift) - 1 - value
            high = np.minimum(high, np.where(case.outputs < layer.clamps.high, over, 2**62).min(axis=1))
            smallest, largest = np.minimum(smallest, value.min(axis=1)), np.maximum(largest, value.max(axis=1))
        start = low + (high - low) // 2
        fits = (largest + start < _INT32) & (smallest + start >= -_INT32) & (np.abs(start) < _INT32)
        hit = open_ & (low <= high) & fits & (np.abs(multiplier) < _INT32) & (np.abs(outside) < _INT32)
        words[:, hit] = np.stack([multiplier, start, outside])[:, hit]
        open_ &= ~hit
        if not open_.any():
            found = words.astype(np.int32)
            return Line(found[0], found[1], found[2], shift)
    return None


def _case(layer: Binary, out: Bools) -> _Case:
    channels, _, depth = layer.signs.shape
    sums = np.asarray(layer.tap_sums[:, out].sum(axis=1), np.int64)
    ones_out = (sums + int(out.sum()) * depth) // 2
    count = int((~out).sum()) * depth + 1
    outputs = np.empty((channels, count), np.int16)
    for rows in _chunks(channels, count):
        outputs[rows] = _outputs(layer, rows, ones_out[rows, None] + np.arange(count), sums[rows, None])
    return _Case(ones_out, count, sums, outputs)


def _chunks(channels: int, count: int) -> Iterator[slice]:
    step = max(1, 200_000 // count)
    return (slice(first, first + step) for first in range(0, channels, step))


def _outputs(layer: Binary, rows: slice, x: Ints64, sums: Ints64) -> Ints64:
    """The reference's outputs of channels ``rows`` where X is ``x``."""
    total = layer.tap_sums[rows].sum(axis=1)[:, None]
    ones = (total + layer.signs.shape[1] * layer.signs.shape[2]) // 2
    codes = layer.low * total + (layer.high - layer.low) * (ones - x) + (layer.zero_point - layer.low) * sums
    accumulators = _wrap32(layer.weight * codes + layer.bias[rows, None])
    scaled = _scaled(accumulators, layer.scales[rows], layer.rounding)
    return np.clip(_wrap32(scaled + layer.out_zero_point), layer.clamps.low, layer.clamps.high)


def _scaled(accumulators: Ints64, scales: npt.NDArray[np.float64] | Ints64, rounding: Rounding) -> Ints64:
    """``reference_single_rounding`` and ``multiply_by_quantized_multiplier`` of :mod:`tinyml.graph`, over arrays."""
    if rounding is Rounding.SINGLE:
        product = accumulators * np.asarray(scales, np.float64)[:, None]
        floor = np.floor(product)
        fraction = product - floor
        rounded = floor + ((fraction > 0.5) | ((fraction == 0.5) & (product > 0)))
        fits = np.abs(rounded + 0.5) < _INT32
        return np.where(fits, np.where(fits, rounded, 0).astype(np.int64), -_INT32)
    multiplier, shift = (column[:, None] for column in np.asarray(scales, np.int64).T)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    product = (_wrap32(accumulators << left) * multiplier + (1 << 30)) >> 31
    half = np.left_shift(np.int64(1), right) >> 1
    return np.asarray((product + half - ((product < 0) & (right > 0))) >> right)


def _wrap32(values: Ints64) -> Ints64:
    return np.asarray((values + _INT32) % (2 * _INT32) - _INT32)
