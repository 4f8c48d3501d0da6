"""How the kernels of ``tml_gemm_v6m.h`` requantise: one line an output channel, proven at every step of the output.

TFLite's roundings make the output a staircase over the accumulator, of at most 255 steps. A line that crosses every
level between the same two accumulators is exact; the bias and the input's zero point are in its constant. Two
roundings with outputs on both sides of the zero point step one unit of the first rounding later below it: ARMv6-M
subtracts that from a line where it is negative, ARMv7-M rounds twice as TFLite does.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.dsp.linear import thresholds
from tinyml.lower.program import Const, Int, Isa, Role
from tinyml.lower.requant import Multipliers

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


class Form(enum.IntEnum):
    """The values of TML_LINE and its siblings."""

    LINE = 0
    TWO_ROUNDINGS = 1
    ANY = 2


@dataclass(frozen=True, slots=True, eq=False)
class Requant:
    """The form and the words of each channel, [channels, words], that ``tml_output_v6m`` takes."""

    form: Form
    words: Words
    rounding: Rounding
    zero_point: int
    clamps: Range

    @property
    def const(self) -> Const:
        """The words as an array."""
        return Const("lines", self.words, Role.REQUANT)

    def ints(self) -> tuple[Int, ...]:
        """The last arguments of every kernel."""
        return (
            Int("form", int(self.form)),
            Int("single_rounding", int(self.rounding is Rounding.SINGLE)),
            Int("out_zero_point", self.zero_point),
            Int("out_min", self.clamps.low),
            Int("out_max", self.clamps.high),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A matrix product ready to pack: weights [channels, inputs] and how its raw sums become outputs."""

    weights: Ints64
    requant: Requant


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Where the outputs of moving channels step: [channels, 255] accumulators and what counts of them."""

    low: Ints64
    high: Ints64
    first: Ints64
    levels: Ints64

    @property
    def reached(self) -> Bools:
        return self.first <= self.high[:, None]

    @property
    def missed(self) -> Bools:
        return self.first > self.low[:, None]


def layer(
    weights: Ints64,
    bias: Ints64,
    multipliers: Multipliers,
    rounding: Rounding,
    zero_point: int,
    clamps: Range,
    isa: Isa,
) -> Layer:
    """Choose the form for all channels; channels whose output never changes get weights of 0.

    ``bias`` has the input's zero point folded in, so that inputs are -128..127.
    """
    repeat = len(weights) // len(multipliers.multipliers)
    scales = np.repeat(np.array([multipliers.multipliers, multipliers.shifts], np.int64).T, repeat, axis=0)
    last = _any_form(bias, scales, rounding, zero_point, clamps)
    fits = (scales[:, 1] >= -_MOST_RIGHT_SHIFT) & (scales[:, 1] <= 0) & (scales[:, 0] > 0)
    dead: Bools = np.abs(weights).sum(axis=1) == 0
    ends = np.abs(bias) + 128 * np.abs(weights).sum(axis=1)
    if not (fits | dead).all() or (ends >= _INT32)[~dead].any():
        return Layer(weights, last)
    constant = np.zeros(len(weights), np.int64)
    for channel in np.flatnonzero(dead):
        constant[channel] = _constant_output(int(bias[channel]), scales[channel], rounding, zero_point, clamps)
    safe = np.where(dead[:, None], np.array([[1 << 30, -3]]), scales)
    steps = _steps(weights, bias, safe, rounding, zero_point, clamps)
    still = ~dead & ~(steps.reached & steps.missed).any(axis=1)
    constant = np.where(still, clamps.low + steps.reached.sum(axis=1), constant)
    moving = ~(dead | still)
    weights = np.where(moving[:, None], weights, 0)
    words = _line_words(steps, safe, moving, constant, isa)
    form = Form.LINE
    if words is None:
        form = Form.TWO_ROUNDINGS
        if rounding is Rounding.DOUBLE:
            find = _two_roundings_v7m if isa is Isa.V7M else _two_roundings_v6m
            words = find(steps, bias, safe, moving, constant, zero_point)
    if words is None:
        return Layer(weights, last)
    return Layer(weights, Requant(form, words, rounding, zero_point, clamps))


def explain(requant: Requant) -> str:
    """The form in words."""
    return {
        Form.LINE: "requantised by one line",
        Form.TWO_ROUNDINGS: "requantised in two roundings",
        Form.ANY: "requantised as TFLite does it, no line was found",
    }[requant.form]


def raw_range(weights: Ints64) -> tuple[Ints64, Ints64]:
    """The exact extremes of each channel's sum of products over inputs of -128..127, by the signs of its weights."""
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    return -128 * positive + 127 * negative, 127 * positive - 128 * negative


def _any_form(bias: Ints64, scales: Ints64, rounding: Rounding, zero_point: int, clamps: Range) -> Requant:
    words = np.stack([bias, scales[:, 0], scales[:, 1]], axis=1).astype(np.int32)
    return Requant(Form.ANY, words, rounding, zero_point, clamps)


def _constant_output(bias: int, scale: Ints64, rounding: Rounding, zero_point: int, clamps: Range) -> int:
    multiplier, shift = int(scale[0]), int(scale[1])
    shifted = bias << max(shift, 0)
    value = (shifted + 2**31) % 2**32 - 2**31
    right = max(-shift, 0)
    if rounding is Rounding.SINGLE:
        value = (bias * multiplier + (1 << (30 - shift))) >> (31 - shift)
    else:
        value = (value * multiplier + (1 << 30)) >> 31
        value = (value + ((1 << right) >> 1) - (value < 0 and right > 0)) >> right
    return min(max(value + zero_point, clamps.low), clamps.high)


def _steps(
    weights: Ints64, bias: Ints64, scales: Ints64, rounding: Rounding, zero_point: int, clamps: Range
) -> _Steps:
    low, high = raw_range(weights)
    first = thresholds(scales, rounding, zero_point, clamps) - bias[:, None]
    levels = np.arange(clamps.low + 1, clamps.high + 1, dtype=np.int64)[None, :] + 128
    return _Steps(low, high, np.clip(first, low[:, None], high[:, None] + 1), levels)


def _slopes(scales: Ints64) -> npt.NDArray[np.float64]:
    return np.ldexp(scales[:, 0].astype(np.float64), scales[:, 1] - 31)


def _bounds(steps: _Steps, needed: Ints64, at: Ints64, before: Ints64) -> tuple[Ints64, Ints64]:
    """The least and largest constant with which every level is reached at its step and not before."""
    low = np.where(steps.reached, needed - at, -(2**62)).max(axis=1)
    high = np.where(steps.missed, needed - 1 - before, 2**62).min(axis=1)
    return low, high


def _line_words(
    steps: _Steps, scales: Ints64, moving: Bools, constant: Ints64, isa: Isa
) -> Words | None:
    if isa is Isa.V7M:
        return _line_v7m(steps, scales, moving, constant)
    zeros = np.zeros((len(scales), 1), np.int64)
    found = _line_v6m(steps, scales, moving, zeros, zeros)
    if found is None:
        return None
    still = np.stack([zeros[:, 0], zeros[:, 0], (constant + 128) << 8, zeros[:, 0] + 8], axis=1)
    return np.where(moving[:, None], found, still).astype(np.int32)


def _line_v7m(steps: _Steps, scales: Ints64, moving: Bools, constant: Ints64) -> Words | None:
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


def _line_v6m(
    steps: _Steps, scales: Ints64, moving: Bools, offset: Ints64, late: Ints64
) -> Ints64 | None:
    """``m0, m1, constant, shift`` for ``(acc * m1 + (acc * m0 >> LIMB_BITS) + constant) >> shift``; None without one.

    Level ``j`` is needed at ``(j - offset + late / 2^20) * 2^shift``.
    """
    slopes = _slopes(scales)
    reach = np.maximum(steps.high - steps.low, 1) * slopes + 2
    most = np.clip(np.floor(32 - np.log2(reach)), 1, 24).astype(np.int64)
    words = np.zeros((len(scales), 4), np.int64)
    open_ = moving.copy()
    for less in range(_TRIED_SHIFTS):
        shift = np.maximum(most - less, 1)
        ideal = np.round(np.ldexp(slopes, shift + LIMB_BITS)).astype(np.int64)
        for nudge in _NUDGES:
            m = np.maximum(ideal + nudge, 0)[:, None]
            m1, m0 = m >> LIMB_BITS, m & ((1 << LIMB_BITS) - 1)

            def line(acc: Ints64, m1: Ints64 = m1, m0: Ints64 = m0) -> Ints64:
                return acc * m1 + (acc * m0 >> LIMB_BITS)

            needed = ((steps.levels - offset) << shift[:, None]) + (late << shift[:, None] >> 20)
            low, high = _bounds(steps, needed, line(steps.first), line(steps.first - 1))
            c = low + (high - low) // 2
            fits = _fits_int32(steps, m0[:, 0], m1[:, 0], c, offset[:, 0], shift)
            hit = open_ & (low <= high) & fits
            words[hit] = np.stack([m0[:, 0], m1[:, 0], c, shift], axis=1)[hit]
            open_ &= ~hit
            if not open_.any():
                return words
    return None


def _fits_int32(steps: _Steps, m0: Ints64, m1: Ints64, constant: Ints64, offset: Ints64, shift: Ints64) -> Bools:
    """Whether a line's sum fits int32 for all accumulators, and where ``acc * m0`` wraps the output stays clamped.

    A wrap moves the sum by ``2^(32 - LIMB_BITS)``, down for large accumulators and up for small ones.
    """
    inside = steps.reached & steps.missed
    before_first = np.where(inside, steps.first, 2**40).min(axis=1) - 1
    last = np.where(inside, steps.first, -(2**40)).max(axis=1)
    wrap = _INT32 // np.maximum(m0, 1) - 1
    fits = (last < wrap) & (before_first > -wrap)
    slip_high = ((np.maximum(steps.high, 0) * m0 + _INT32) >> 32) << (32 - LIMB_BITS)
    slip_low = ((np.maximum(-steps.low, 0) * m0 + _INT32) >> 32) << (32 - LIMB_BITS)
    top = np.where(steps.reached, steps.levels, 0).max(axis=1) + 1 - offset << shift
    bottom = np.where(steps.missed, steps.levels, 256).min(axis=1) - 1 - offset << shift
    fits &= (slip_high == 0) | (wrap * m1 + constant - slip_high > top)
    fits &= (slip_low == 0) | (constant - wrap * m1 + slip_low < bottom)
    low = steps.low * m1 + (steps.low * m0 >> LIMB_BITS) + constant
    high = steps.high * m1 + (steps.high * m0 >> LIMB_BITS) + constant
    spare = np.maximum(slip_high, slip_low) + np.where(offset > 0, offset + 1 << shift, 0)
    fits &= (np.maximum(np.abs(low), np.abs(high)) + spare < _INT32) & (np.abs(constant) + spare < _INT32)
    return np.asarray(fits, np.bool_)


def _two_roundings_v6m(
    steps: _Steps, bias: Ints64, scales: Ints64, moving: Bools, constant: Ints64, zero_point: int
) -> Words | None:
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


def _two_roundings_v7m(
    steps: _Steps, bias: Ints64, scales: Ints64, moving: Bools, constant: Ints64, zero_point: int
) -> Words | None:
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
