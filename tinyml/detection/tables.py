"""Functions of one int8 code as integers in a table of 256: what decoding in C needs instead of ``exp``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ONE = 1 << 15
GROWTH_ONE = 1 << 12
CELL = 256
LARGEST_GROWTH = 1 << 20

Table = npt.NDArray[np.int64]


def reals(scale: float, zero_point: int) -> npt.NDArray[np.float64]:
    """What the codes -128 to 127 stand for, float64 ``[256]``."""
    found: npt.NDArray[np.float64] = (np.arange(-128, 128) - zero_point) * np.float64(scale)
    return found


def sigmoid_table(scale: float, zero_point: int) -> Table:
    """1 / (1 + exp(-x)) of each code in 1/32768, at most 32767."""
    found: Table = np.minimum(np.round(ONE / (1 + np.exp(-reals(scale, zero_point)))), ONE - 1).astype(np.int64)
    return found


def growth_table(scale: float, zero_point: int) -> Table:
    """exp(x) of each code in 1/4096, at most 256 (a box larger than any grid)."""
    exponent = np.minimum(reals(scale, zero_point), np.log(LARGEST_GROWTH / GROWTH_ONE))
    return np.round(np.exp(exponent) * GROWTH_ONE).astype(np.int64)


def softmax_table(scale: float) -> Table:
    """exp(-scale * d) in 1/32768 for d codes below the largest; 1 for the largest itself."""
    found: Table = np.round(ONE * np.exp(-float(scale) * np.arange(256))).astype(np.int64)
    return found


def shift_table(scale: float, zero_point: int, cell_units: float = 1.0) -> Table:
    """Each code in 1/256 cell; ``cell_units`` is the width of a cell in the output's unit, 16 for PoseNet's pixels."""
    return np.round(reals(scale, zero_point) * CELL / cell_units).astype(np.int64)


@dataclass(frozen=True, slots=True)
class CTable:
    """A table as a C definition."""

    name: str
    kind: str
    values: Table

    def render(self) -> str:
        """``static const kind name[…] = {…};``, 16 numbers a line."""
        numbers = [str(int(value)) for value in self.values.ravel()]
        lines = [", ".join(numbers[start : start + 16]) for start in range(0, len(numbers), 16)]
        body = ",\n    ".join(lines)
        return f"static const {self.kind} {self.name}[{len(numbers)}] = {{\n    {body}}};\n"
