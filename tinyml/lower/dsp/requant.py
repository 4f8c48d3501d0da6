"""The requantisation words of ``tml_requant_dsp`` (``firmware_templates/runtime/tml_common_dsp.h``).

The fast forms need right shifts that SMMLAR can do; others have a slower form that holds for every shift.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Rounding
from tinyml.lower.program import Int
from tinyml.lower.requant import Multipliers, Range

Words = npt.NDArray[np.int32]


class Form(enum.IntEnum):
    """The values of TML_DOUBLE_FAST and its siblings."""

    DOUBLE_FAST = 0
    DOUBLE_ANY = 1
    SINGLE_FAST = 2
    SINGLE_ANY = 3


@dataclass(frozen=True, slots=True, eq=False)
class Requant:
    """How a kernel requantises: the form, and for each output channel ``mul`` and ``par``.

    ``live`` is False for channels whose multiplier is 0 in a fast form: their output is the zero point whatever they
    sum, which the packer has to arrange by weights and a bias of 0.
    """

    form: Form
    mul: Words
    par: Words
    live: npt.NDArray[np.bool_]
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


def requant(multipliers: Multipliers, rounding: Rounding, zero_point: int, clamps: Range, channels: int) -> Requant:
    """Requantisation words of ``channels`` channels; a single multiplier is repeated."""
    repeat = channels // len(multipliers.multipliers)
    m = np.repeat(np.array(multipliers.multipliers, np.int64), repeat)
    shift = np.repeat(np.array(multipliers.shifts, np.int64), repeat)
    single = rounding is Rounding.SINGLE
    live = m != 0
    least = 3 if single else 2
    fast = bool(((-shift[live] >= least) & (-shift[live] <= 31)).all())
    if not fast:
        form = Form.SINGLE_ANY if single else Form.DOUBLE_ANY
        return Requant(form, m.astype(np.int32), shift.astype(np.int32), np.ones_like(live), zero_point, clamps)
    m, right = np.where(live, m, 1 << 30), np.where(live, -shift, 31)
    if single:
        mul, par, form = m, np.left_shift(1, 33 - right), Form.SINGLE_FAST
    else:
        mul, par, form = 2 * m, np.left_shift(1, 32 - right), Form.DOUBLE_FAST
    return Requant(form, mul.astype(np.int32), par.astype(np.int32), live, zero_point, clamps)
