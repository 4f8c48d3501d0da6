"""How the kernels of ``tml_common_v6m.h`` requantise: by one proven line a channel where there is one.

Bias and input zero point are inside a line's constant. Layers without lines for all channels take TFLite's own
arithmetic.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.accumulators import accumulator_range
from tinyml.lower.dsp.linear import thresholds
from tinyml.lower.program import Const, Int, Isa, Role
from tinyml.lower.requant import Multipliers
from tinyml.lower.v6m.lines import (
    Bools,
    Ints64,
    Steps,
    Words,
    clamped,
    line_words,
    two_roundings_v6m,
    two_roundings_v7m,
)

_MOST_RIGHT_SHIFT, _MOST_REACH_BITS = 20, 24
_INT32 = 2**31


class Form(enum.IntEnum):
    """The values of TML_LINE and its siblings."""

    LINE = 0
    TWO_ROUNDINGS = 1
    ANY = 2


@dataclass(frozen=True, slots=True, eq=False)
class Requant:
    """The form and the words of each channel, [channels, words], that ``tml_output_v6m`` takes.

    ``reach_bits``: to how many bits accumulators are clamped first, 0 where they are not.
    """

    form: Form
    words: Words
    rounding: Rounding
    zero_point: int
    clamps: Range
    reach_bits: int = 0

    @property
    def const(self) -> Const:
        """The words as an array."""
        return Const("lines", self.words, Role.REQUANT)

    def ints(self) -> tuple[Int, ...]:
        """The last arguments of every kernel."""
        return (
            Int("form", int(self.form)),
            Int("reach_bits", self.reach_bits),
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

    ``bias`` has the input's zero point folded in, so that inputs are -128..127. A layer that is built for several
    numbers of rows asks for the same each time, so layers are kept.
    """
    return _layer(_Numbers(weights, bias), multipliers, rounding, zero_point, clamps, isa)


class _Numbers:
    """Weights and bias, equal to others by their content."""

    def __init__(self, weights: Ints64, bias: Ints64) -> None:
        self.weights, self.bias = weights, bias
        digest = hashlib.sha256(weights.tobytes())
        digest.update(bias.tobytes())
        self._key = weights.shape, digest.digest()

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Numbers) and self._key == other._key


@lru_cache(maxsize=256)
def _layer(
    numbers: _Numbers, multipliers: Multipliers, rounding: Rounding, zero_point: int, clamps: Range, isa: Isa
) -> Layer:
    weights, bias = numbers.weights, numbers.bias
    repeat = len(weights) // len(multipliers.multipliers)
    scales = np.repeat(np.array([multipliers.multipliers, multipliers.shifts], np.int64).T, repeat, axis=0)
    last = _any_form(bias, scales, rounding, zero_point, clamps)
    fits = (scales[:, 1] >= -_MOST_RIGHT_SHIFT) & (scales[:, 1] <= 0) & (scales[:, 0] > 0)
    dead: Bools = np.abs(weights).sum(axis=1) == 0
    ends = np.abs(bias) + 128 * np.abs(weights).sum(axis=1)
    # An activation that leaves a single value has no steps that a line could be proven at.
    if clamps.low == clamps.high or not (fits | dead).all() or (ends >= _INT32)[~dead].any():
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
    chosen = _choose(steps, bias, safe, moving, constant, rounding, zero_point, isa)
    if chosen is not None:
        return Layer(weights, Requant(*chosen, rounding, zero_point, clamps))
    if isa is Isa.V6M and moving.any():
        near, start, bits = clamped(steps, moving)
        chosen = _choose(near, bias, safe, moving, constant, rounding, zero_point, isa)
        if chosen is not None and bits < _MOST_REACH_BITS:
            words = np.concatenate([start[:, None].astype(np.int32), chosen[1]], axis=1)
            return Layer(weights, Requant(chosen[0], words, rounding, zero_point, clamps, bits))
    return Layer(weights, last)


def _choose(
    steps: Steps,
    bias: Ints64,
    scales: Ints64,
    moving: Bools,
    constant: Ints64,
    rounding: Rounding,
    zero_point: int,
    isa: Isa,
) -> tuple[Form, Words] | None:
    words = line_words(steps, scales, moving, constant, isa)
    if words is not None:
        return Form.LINE, words
    if rounding is Rounding.SINGLE:
        return None
    if isa is Isa.V7M:
        words = two_roundings_v7m(bias, scales, moving, constant, zero_point)
    else:
        words = two_roundings_v6m(steps, scales, moving, constant, zero_point)
    return None if words is None else (Form.TWO_ROUNDINGS, words)


def explain(requant: Requant) -> str:
    """The form in words."""
    if requant.reach_bits:
        return f"requantised by one line, accumulators clamped to {requant.reach_bits} bits first"
    return {
        Form.LINE: "requantised by one line",
        Form.TWO_ROUNDINGS: "requantised in two roundings",
        Form.ANY: "requantised as TFLite does it, no line was found",
    }[requant.form]


def raw_range(weights: Ints64) -> tuple[Ints64, Ints64]:
    """The exact extremes of each channel's sum of products over inputs of -128..127, by the signs of its weights."""
    return accumulator_range(weights, np.zeros(len(weights), np.int64))


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


def _steps(weights: Ints64, bias: Ints64, scales: Ints64, rounding: Rounding, zero_point: int, clamps: Range) -> Steps:
    low, high = raw_range(weights)
    first = thresholds(scales, rounding, zero_point, clamps) - bias[:, None]
    levels = np.arange(clamps.low + 1, clamps.high + 1, dtype=np.int64)[None, :] + 128
    return Steps(low, high, np.clip(first, low[:, None], high[:, None] + 1), levels)
