"""Keypoints of a PoseNet's int8 outputs: the same integers as ``firmware_templates/decoding/tml_keypoints.h``.

Papandreou et al. 2018, "PersonLab", arXiv:1803.08225, section 3.1.1, for one person: the largest heatmap value of each
keypoint, moved by the offset in its cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.detection.tables import CELL, CTable, shift_table
from tinyml.errors import UsageError


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A place in 1/256 cell from the first cell's centre; ``score`` is the heatmap's int8 code there."""

    x: int
    y: int
    score: int


def decode_keypoints(
    heatmap: npt.NDArray[np.int8],
    offsets: npt.NDArray[np.int8],
    scale: float,
    zero_point: int,
    cell_units: float = 1.0,
) -> list[Keypoint]:
    """One keypoint for each of the heatmap's channels.

    Args:
        heatmap: int8 of shape (rows, columns, keypoints).
        offsets: int8 of shape (rows, columns, 2 * keypoints), y of every keypoint and then x.
        scale: the offsets' scale.
        zero_point: the offsets' zero point.
        cell_units: the width of a cell in the offsets' unit: 1, or 16 where they are in pixels.

    Raises:
        UsageError: the shapes do not go together.
    """
    rows, columns, count = heatmap.shape
    if offsets.shape != (rows, columns, 2 * count):
        raise UsageError(f"a heatmap of {heatmap.shape} needs offsets of {(rows, columns, 2 * count)}: {offsets.shape}")
    shift = shift_table(scale, zero_point, cell_units)
    found = []
    for k in range(count):
        row, column = divmod(int(np.argmax(heatmap[..., k])), columns)
        moved = offsets[row, column]
        y = row * CELL + int(shift[int(moved[k]) + 128])
        x = column * CELL + int(shift[int(moved[count + k]) + 128])
        found.append(Keypoint(x, y, int(heatmap[row, column, k])))
    return found


def render_shift(scale: float, zero_point: int, cell_units: float = 1.0, name: str = "keypoint_shift") -> str:
    """A C header's text that defines the table which ``tml_decode_keypoints`` takes."""
    table = CTable(name, "int32_t", shift_table(scale, zero_point, cell_units))
    return '#include "tml_keypoints.h"\n\n' + table.render()
