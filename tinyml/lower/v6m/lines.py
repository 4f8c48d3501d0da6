"""Integers for which one line an output channel equals TFLite's requantisation at every step of the output.

TFLite's roundings make the output a staircase over the accumulator, of at most 255 steps. A line that crosses every
level between the same two accumulators is exact. Two roundings with outputs on both sides of the zero point step one
unit of the first rounding later below it: ARMv6-M subtracts that from a line where it is negative, ARMv7-M rounds
twice as TFLite does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.lower.program import Isa

Words = npt.NDArray[np.int32]
Ints64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

V7M_SHIFT = 4
"""TML_SHIFT_V7M: the line's right shift on ARMv7-M beyond the product's upper word."""
LIMB_BITS = 13
"""TML_LIMB_BITS: ARMv6-M multiplies by a line's multiplier in two parts, of which the lower has so many bits."""
_MOST_RIGHT_SHIFT, _MOST_EXACT_SHIFT = 20, 20
_NUDGES = (0, 1, -1, 2, -2, 3, -3, 5, -5, 8, -8)
_TRIED_SHIFTS = 6
_INT32 = 2**31


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Where the outputs of moving channels step: [channels, 255] accumulators and what counts of them."""

    low: Ints64
    high: Ints64
    first: Ints64
    levels: Ints64
    limb_bits: int = LIMB_BITS

    @property
    def reached(self) -> Bools:
        """Steps that the largest accumulator reaches."""
        return self.first <= self.high[:, None]

    @property
    def missed(self) -> Bools:
        """Steps that the smallest accumulator does not reach."""
        return self.first > self.low[:, None]

    def rows(self, channels: npt.NDArray[np.intp]) -> Steps:
        """Some of the channels."""
        levels = self.levels[channels] if len(self.levels) > 1 else self.levels
        return Steps(self.low[channels], self.high[channels], self.first[channels], levels, self.limb_bits)


def _slopes(scales: Ints64) -> npt.NDArray[np.float64]:
    return np.ldexp(scales[:, 0].astype(np.float64), scales[:, 1] - 31)


def clamped(steps: Steps, moving: Bools) -> tuple[Steps, Ints64, int]:
    """The steps after ``start`` has been added to accumulators that are then clamped to below ``2^bits``.

    Clamped accumulators reach no further than the steps do, which leaves more bits for the multiplier. Returns the
    steps, ``start`` for each channel, and ``bits``.
    """
    inside = steps.reached & steps.missed
    before = np.where(inside, steps.first, 2**40).min(axis=1) - 1
    last = np.where(inside, steps.first, -(2**40)).max(axis=1)
    start = np.where(moving, -((before + last) // 2), 0)
    half = np.where(moving, np.maximum(last + start, -(before + start)), 0)
    bits = int(half.max()).bit_length()
    most = (1 << bits) - 1
    low, high = np.maximum(steps.low + start, -most), np.minimum(steps.high + start, most)
    first = np.clip(steps.first + start[:, None], low[:, None], high[:, None] + 1)
    return Steps(low, high, first, steps.levels, 31 - bits), start, bits


def _bounds(steps: Steps, needed: Ints64, at: Ints64, before: Ints64) -> tuple[Ints64, Ints64]:
    """The least and largest constant with which every level is reached at its step and not before."""
    low = np.where(steps.reached, needed - at, -(2**62)).max(axis=1)
    high = np.where(steps.missed, needed - 1 - before, 2**62).min(axis=1)
    return low, high


def line_words(steps: Steps, scales: Ints64, moving: Bools, constant: Ints64, isa: Isa) -> Words | None:
    """The words of LINE for all channels, of which those not ``moving`` are ``constant``; None without them."""
    if isa is Isa.V7M:
        return _line_v7m(steps, scales, moving, constant)
    zeros = np.zeros((len(scales), 1), np.int64)
    found = _line_v6m(steps, scales, moving, zeros, zeros)
    if found is None:
        return None
    still = np.stack([zeros[:, 0], zeros[:, 0], (constant + 128) << 8, zeros[:, 0] + 8], axis=1)
    return np.where(moving[:, None], found, still).astype(np.int32)


def _line_v7m(steps: Steps, scales: Ints64, moving: Bools, constant: Ints64) -> Words | None:
    """``multiplier, low and high word of the constant``: the output is ``(acc * multiplier + constant) >> 32 >> 4``."""
    unit = 32 + V7M_SHIFT
    ideal = np.round(np.ldexp(_slopes(scales), unit)).astype(np.int64)
    if bool((ideal[moving] >= _INT32 - 16).any()):
        return None
    needed = (steps.levels - 128) << unit
    words = np.zeros((len(scales), 3), np.int64)
    open_ = moving.copy()
    for nudge in _NUDGES:
        m = np.maximum(ideal + nudge, 0)[:, None]
        low, high = _bounds(steps, needed, steps.first * m, (steps.first - 1) * m)
        hit = open_ & (low <= high)
        c = low + (high - low) // 2
        words[hit] = np.stack([m[:, 0], c & 0xFFFFFFFF, c >> 32], axis=1)[hit]
        open_ &= ~hit
        if not open_.any():
            break
    still = np.stack([np.zeros_like(constant), np.zeros_like(constant), constant << V7M_SHIFT], axis=1)
    words = np.where(moving[:, None], words, still)
    fits = bool((words[:, 2] < _INT32).all() and (words[:, 2] >= -_INT32).all())
    return None if open_.any() or not fits else words.astype(np.uint32).view(np.int32)


def _line_v6m(steps: Steps, scales: Ints64, moving: Bools, offset: Ints64, late: Ints64) -> Ints64 | None:
    """``m0, m1, constant, shift`` for ``(acc * m1 + (acc * m0 >> limb_bits) + constant) >> shift``; None without one.

    Level ``j`` is needed at ``(j - offset + late / 2^20) * 2^shift``.
    """
    words = np.zeros((len(scales), 4), np.int64)
    rows = np.flatnonzero(moving)
    steps, slopes, offset, late = steps.rows(rows), _slopes(scales)[rows], offset[rows], late[rows]
    reach = np.maximum(steps.high - steps.low, 1) * slopes + 2
    most = np.clip(np.floor(32 - np.log2(reach)), 1, 24).astype(np.int64)
    for less in range(_TRIED_SHIFTS):
        for nudge in _NUDGES:
            shift = np.maximum(most - less, 1)
            ideal = np.round(np.ldexp(slopes, shift + steps.limb_bits)).astype(np.int64)
            m = np.maximum(ideal + nudge, 0)[:, None]
            m1, m0 = m >> steps.limb_bits, m & ((1 << steps.limb_bits) - 1)

            at, before = (acc * m1 + (acc * m0 >> steps.limb_bits) for acc in (steps.first, steps.first - 1))
            needed = ((steps.levels - offset) << shift[:, None]) + (late << shift[:, None] >> 20)
            low, high = _bounds(steps, needed, at, before)
            c = low + (high - low) // 2
            fits = _fits_int32(steps, m0[:, 0], m1[:, 0], c, offset[:, 0], shift)
            hit = (low <= high) & fits
            words[rows[hit]] = np.stack([m0[:, 0], m1[:, 0], c, shift], axis=1)[hit]
            left = np.flatnonzero(~hit)
            if left.size == 0:
                return words
            if left.size < len(rows):
                rows, steps, slopes, most = rows[left], steps.rows(left), slopes[left], most[left]
                offset, late = offset[left], late[left]
    return None


def _fits_int32(steps: Steps, m0: Ints64, m1: Ints64, constant: Ints64, offset: Ints64, shift: Ints64) -> Bools:
    """Whether a line's sum fits int32 for all accumulators, and where ``acc * m0`` wraps the output stays clamped.

    A wrap moves the sum by ``2^(32 - limb_bits)``, down for large accumulators and up for small ones.
    """
    inside = steps.reached & steps.missed
    before_first = np.where(inside, steps.first, 2**40).min(axis=1) - 1
    last = np.where(inside, steps.first, -(2**40)).max(axis=1)
    wrap = _INT32 // np.maximum(m0, 1) - 1
    fits = (last < wrap) & (before_first > -wrap)
    slip_high = ((np.maximum(steps.high, 0) * m0 + _INT32) >> 32) << (32 - steps.limb_bits)
    slip_low = ((np.maximum(-steps.low, 0) * m0 + _INT32) >> 32) << (32 - steps.limb_bits)
    top = np.where(steps.reached, steps.levels, 0).max(axis=1) + 1 - offset << shift
    bottom = np.where(steps.missed, steps.levels, 256).min(axis=1) - 1 - offset << shift
    fits &= (slip_high == 0) | (wrap * m1 + constant - slip_high > top)
    fits &= (slip_low == 0) | (constant - wrap * m1 + slip_low < bottom)
    low = steps.low * m1 + (steps.low * m0 >> steps.limb_bits) + constant
    high = steps.high * m1 + (steps.high * m0 >> steps.limb_bits) + constant
    spare = np.maximum(slip_high, slip_low) + np.where(offset > 0, offset + 1 << shift, 0)
    fits &= (np.maximum(np.abs(low), np.abs(high)) + spare < _INT32) & (np.abs(constant) + spare < _INT32)
    return np.asarray(fits, np.bool_)


def two_roundings_v6m(steps: Steps, scales: Ints64, moving: Bools, constant: Ints64, zero_point: int) -> Words | None:
    """``m0, m1, constant, shift, late, zero``: with ``v`` from the line, ``(v - (v < 0 ? late : 0) + zero) >> shift``.

    ``v`` is the output less its zero point and a half; below zero it has to lie one unit of the first rounding,
    ``2^-r`` of an output, higher for the same output.
    """
    right = -scales[:, 1:]
    zero = np.full((len(scales), 1), zero_point + 128, np.int64)
    unit = (np.int64(1) << 20) >> right
    half = np.int64(1) << 19
    below = steps.levels <= zero
    late = np.where(below & (right > 0), unit, 0) - half
    found = _line_v6m(steps, scales, moving, zero, late)
    if found is None:
        return None
    shift = found[:, 3]
    step = np.where(right[:, 0] > 0, unit[:, 0] << shift >> 20, 0)
    centre = (zero[:, 0] << shift) + (np.int64(1) << np.maximum(shift - 1, 0))
    words = np.concatenate([found, step[:, None], centre[:, None]], axis=1)
    zeros = np.zeros_like(constant)
    still = np.stack([zeros, zeros, zeros, zeros + 8, zeros, (constant + 128) << 8], axis=1)
    return np.where(moving[:, None], words, still).astype(np.int32)


def two_roundings_v7m(bias: Ints64, scales: Ints64, moving: Bools, constant: Ints64, zero_point: int) -> Words | None:
    """``multiplier, 64-bit start, c, r``: ``y = (acc * multiplier + start) >> 31`` and ``(y + (y >> 31) + c) >> r``."""
    right = -scales[:, 1]
    if bool(((right < 1) | (right > _MOST_EXACT_SHIFT))[moving].any()):
        return None
    multiplier = np.where(moving, scales[:, 0], 0)
    start = np.where(moving, bias * scales[:, 0], 0) + (1 << 30)
    right = np.where(moving, right, 8)
    c = np.where(moving, zero_point, constant) * (np.int64(1) << right) + (np.int64(1) << (right - 1))
    words = np.stack([multiplier, start & 0xFFFFFFFF, start >> 32, c, right], axis=1)
    return words.astype(np.uint32).view(np.int32)
