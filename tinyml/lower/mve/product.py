"""Matrix products as the MVE kernels take them: int8 weights, folded biases, and vectors that requantise exactly.

See ``firmware_templates/runtime/tml_common_mve.h`` for the two forms and why they are exact.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.accumulators import CONSTANT_SCALE, CONSTANT_UNIT, accumulator_range, constant_output
from tinyml.lower.program import Int
from tinyml.lower.requant import Multipliers

Ints64 = npt.NDArray[np.int64]

_REACH = 1 << 30


class Form(enum.IntEnum):
    """The values of TML_MVE_DOUBLE and TML_MVE_SINGLE."""

    DOUBLE = 0
    SINGLE = 1


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """Weights [channels, inputs], biases with the input's zero point folded in, and how sums become outputs.

    ``multiplier`` and ``shift`` [channels] are what the kernel's vectors hold: TFLite's numbers for two roundings; for
    a single one the shift is one more, because VMULH has divided by 2^32 already.
    """

    weights: Ints64
    bias: Ints64
    multiplier: Ints64
    shift: Ints64
    form: Form
    zero_point: int
    clamps: Range

    def ints(self) -> tuple[Int, ...]:
        """The last four arguments of every kernel."""
        return (
            Int("rounding", int(self.form)),
            Int("out_zero_point", self.zero_point),
            Int("out_min", self.clamps.low),
            Int("out_max", self.clamps.high),
        )


def product(
    weights: Ints64, bias: Ints64, multipliers: Multipliers, rounding: Rounding, zero_point: int, clamps: Range
) -> Product | str:
    """The product, or why the vector forms cannot do it.

    Proven for each channel from its weights: no accumulator leaves ±2^30, so that nothing wraps or saturates on the
    way; shifts are to the right and within VRSHL's exact range. A channel that fails but whose output never changes is
    rewritten as the constant it is, with weights of 0: converters give dead channels biases near 2^30 and multipliers
    near 0 or very large.
    """
    channels = len(weights)
    repeat = channels // len(multipliers.multipliers)
    multiplier = np.repeat(np.array(multipliers.multipliers, np.int64), repeat)
    shift = np.repeat(np.array(multipliers.shifts, np.int64), repeat)
    weights, bias = weights.copy(), bias.copy()
    single = rounding is Rounding.SINGLE
    # The repair of ties takes a shift of at least one; a single rounding takes one bit above VMULH's word.
    most = -2 if single else (-1 if clamps.low < zero_point else 0)
    least = -32 if single else -31
    lowest, highest = accumulator_range(weights, bias)
    fits = (shift <= most) & (shift >= least) & (lowest > -_REACH) & (highest < _REACH)
    for channel in np.flatnonzero(~fits):
        scale = int(multiplier[channel]), int(shift[channel])
        ends = int(lowest[channel]), int(highest[channel])
        value = constant_output(ends, scale, rounding, zero_point, clamps)
        if value is None:
            return (
                f"channel {channel} has accumulators to {int(max(-lowest[channel], highest[channel]))} and a shift"
                f" of {scale[1]}, the vector forms hold to 2^30 and for {least} to {most}"
            )
        weights[channel], bias[channel] = 0, (value - zero_point) * CONSTANT_UNIT
        multiplier[channel], shift[channel] = CONSTANT_SCALE
    form = Form.SINGLE if single else Form.DOUBLE
    return Product(weights, bias, multiplier, shift + 1 if single else shift, form, zero_point, clamps)
