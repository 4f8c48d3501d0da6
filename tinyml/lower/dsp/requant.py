"""How a kernel requantises: the words of ``tml_requant_dsp`` (``firmware_templates/runtime/tml_common_dsp.h``).

One linear function of the accumulator where there is one, then TFLite's own roundings for right shifts that SMMLAR can
do, then a slower form that holds for every shift.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.accumulators import CONSTANT_SCALE, CONSTANT_UNIT, accumulator_range, constant_channels
from tinyml.lower.dsp.linear import find_line
from tinyml.lower.program import Int
from tinyml.lower.requant import Multipliers

_MOST_TWICE, _MOST_LEFT = 20, 12
Words = npt.NDArray[np.int32]
Ints64 = npt.NDArray[np.int64]


class Form(enum.IntEnum):
    """The values of TML_DOUBLE_FAST and its siblings; the last one is of ``tml_broadcast_dsp.h``."""

    DOUBLE_FAST = 0
    DOUBLE_ANY = 1
    SINGLE_FAST = 2
    SINGLE_ANY = 3
    LINEAR = 4
    DOUBLE_TWICE = 5


@dataclass(frozen=True, slots=True, eq=False)
class Requant:
    """The form, and for each row the words ``mul`` and ``par`` and what is added to its accumulator beforehand.

    ``offset`` is the output's zero point, or the shift of the forms that have that in ``par``.
    """

    form: Form
    mul: Words
    par: Words
    start: Ints64
    offset: int
    clamps: Range

    def ints(self) -> tuple[Int, ...]:
        """The last four arguments of every kernel."""
        return (
            Int("rounding", int(self.form)),
            Int("shift" if self.form in (Form.LINEAR, Form.DOUBLE_TWICE) else "out_zero_point", self.offset),
            Int("out_min", self.clamps.low),
            Int("out_max", self.clamps.high),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A matrix product ready to pack: weights [rows, inputs], folded biases, and how its sums become outputs.

    Rows are output channels, in the order in which a kernel's streams have them; some may be there twice.
    """

    weights: Ints64
    bias: Ints64
    requant: Requant


def layer(
    weights: Ints64,
    bias: Ints64,
    multipliers: Multipliers,
    rounding: Rounding,
    zero_point: int,
    clamps: Range,
    *,
    rows: list[int] | None = None,
    in_parts: bool = False,
) -> Layer:
    """Choose the form for all rows; channels whose output never changes are rewritten as the constant they are.

    ``bias`` has the input's zero point folded in, so that the inputs are -128..127. ``rows`` are the channels in the
    order of packed pairs, None where they are not packed; the first of a pair has its accumulator 256 times, or once
    where sums are taken ``in_parts``. A constant channel gets weights of 0 and a small bias: converters give dead
    channels biases near 2^30 and multipliers near 0, which would cost all the other channels the fast forms.
    """
    channels = len(weights)
    repeat = channels // len(multipliers.multipliers)
    scales = np.repeat(np.array([multipliers.multipliers, multipliers.shifts], np.int64).T, repeat, axis=0)
    weights, bias = weights.copy(), bias.copy()
    lowest, highest = accumulator_range(weights, bias)
    for channel, value in constant_channels(lowest, highest, scales, rounding, zero_point, clamps).items():
        weights[channel], bias[channel] = 0, (value - zero_point) * CONSTANT_UNIT
        scales[channel] = CONSTANT_SCALE
    order = list(range(channels)) if rows is None else rows
    weights, bias, scales = weights[order], bias[order], scales[order]
    unit = np.where(np.arange(len(order)) % 2 == 0, 256 if rows is not None and not in_parts else 1, 1).astype(np.int64)
    line = find_line(scales, *accumulator_range(weights, bias), unit, rounding, zero_point, clamps)
    if line is None:
        return Layer(weights, bias, two_steps(scales, rounding, zero_point, clamps))
    mul, par = line.multiplier.astype(np.int32), line.addend.astype(np.int32)
    return Layer(weights, bias, Requant(Form.LINEAR, mul, par, line.start, line.shift, clamps))


def two_steps(scales: Ints64, rounding: Rounding, zero_point: int, clamps: Range) -> Requant:
    """TFLite's own roundings for ``scales`` [rows, 2], multipliers and shifts: in SMMLAR where all shifts allow it."""
    m, shift = scales[:, 0], scales[:, 1]
    start = np.zeros_like(m)
    single = rounding is Rounding.SINGLE
    least = 3 if single else 2
    if not bool(((-shift >= least) & (-shift <= 31) & (m >= 1 << 30)).all()):
        form = Form.SINGLE_ANY if single else Form.DOUBLE_ANY
        return Requant(form, m.astype(np.int32), shift.astype(np.int32), start, zero_point, clamps)
    if single:
        mul, par, form = m, np.left_shift(1, 33 + shift), Form.SINGLE_FAST
    else:
        mul, par, form = 2 * m, np.left_shift(1, 32 + shift), Form.DOUBLE_FAST
    return Requant(form, mul.astype(np.int32), par.astype(np.int32), start, zero_point, clamps)


def twice(scales: Ints64, zero_point: int, clamps: Range) -> tuple[Requant, int]:
    """TFLite's own two roundings for a kernel whose accumulators, within ±2^16, come times the second value.

    ``scales`` [1, 2] are a multiplier and a shift. ``par`` has the zero point and the half of the second rounding, both
    before its shift.
    """
    multiplier, shift = int(scales[0, 0]), int(scales[0, 1])
    if not -_MOST_TWICE <= shift <= _MOST_LEFT or multiplier < 1 << 30:
        return two_steps(scales, Rounding.DOUBLE, zero_point, clamps), 1
    right = max(-shift, 0)
    half = 1 << (right - 1) if right else 0
    mul, par = np.array([multiplier], np.int32), np.array([half + (zero_point << right)], np.int32)
    return Requant(Form.DOUBLE_TWICE, mul, par, np.zeros(1, np.int64), right, clamps), 2 << max(shift, 0)
