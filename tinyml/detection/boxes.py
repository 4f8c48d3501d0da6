"""Boxes of a YOLOv2 network's int8 output: the same integers as ``firmware_templates/decoding/tml_boxes.h``.

Redmon and Farhadi 2017, "YOLO9000", arXiv:1612.08242, section 2 and figure 3; non-maximum suppression as usual, within
a class, best first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.detection.tables import CELL, ONE, CTable, growth_table, sigmoid_table, softmax_table
from tinyml.errors import UsageError

BOX_VALUES = 5


@dataclass(frozen=True, slots=True)
class Box:
    """Edges in 1/256 cell from the grid's upper left corner, score in 1/32768, class by its number."""

    left: int
    top: int
    right: int
    bottom: int
    score: int
    class_index: int


@dataclass(frozen=True)
class BoxDecoder:
    """How to read an output of shape (rows, columns, anchors * (5 + classes)).

    ``anchors`` are (width, height) in cells. Boxes below ``least_score`` are no boxes; of two of a class whose
    intersection is more than ``most_overlap`` of their union the weaker goes; ``limit`` bounds how many are looked at.
    """

    scale: float
    zero_point: int
    anchors: tuple[tuple[float, float], ...]
    classes: int
    least_score: float = 0.3
    most_overlap: float = 0.45
    limit: int = 16

    def __post_init__(self) -> None:
        """Check the numbers that C's types and loops rely on."""
        if not self.anchors or any(not 0 < side * CELL < 1 << 16 for pair in self.anchors for side in pair):
            raise UsageError("anchors have to be between 0 and 256 cells, at least one")
        if self.classes < 1 or self.limit < 1:
            raise UsageError(f"{self.classes} classes and a limit of {self.limit} boxes: both have to be at least 1")
        if not 0 < self.least_score < 1 or not 0 <= self.most_overlap <= 1:
            raise UsageError(f"least score {self.least_score} and most overlap {self.most_overlap} are parts of 1")

    @property
    def least(self) -> int:
        """``least_score`` in 1/32768."""
        return max(1, round(self.least_score * ONE))

    @property
    def overlap(self) -> int:
        """``most_overlap`` in 1/256."""
        return round(self.most_overlap * 256)

    @property
    def anchor_sizes(self) -> npt.NDArray[np.int64]:
        """Anchors in 1/256 cell, shape (anchors, 2)."""
        return np.maximum(1, np.round(np.asarray(self.anchors) * CELL)).astype(np.int64)

    def render(self, rows: int, columns: int, name: str = "box_decoder") -> str:
        """A C header's text that defines the tables and ``static const tml_box_decoder NAME``."""
        tables = (
            CTable(f"{name}_sigmoid", "uint16_t", sigmoid_table(self.scale, self.zero_point)),
            CTable(f"{name}_growth", "uint32_t", growth_table(self.scale, self.zero_point)),
            CTable(f"{name}_softmax", "uint16_t", softmax_table(self.scale)),
            CTable(f"{name}_anchors", "uint16_t", self.anchor_sizes),
        )
        fields = ", ".join(table.name for table in tables)
        return (
            '#include "tml_boxes.h"\n\n'
            + "".join(table.render() for table in tables)
            + f"enum {{ {name.upper()}_LIMIT = {self.limit} }};\n"
            + f"static const tml_box_decoder {name} = {{{rows}, {columns}, {len(self.anchors)}, {self.classes},\n"
            + f"    {fields},\n    {self.least}, {self.overlap}}};\n"
        )


def decode_boxes(raw: npt.NDArray[np.int8], decoder: BoxDecoder) -> list[Box]:
    """The boxes of ``raw``, int8 of shape (rows, columns, anchors * (5 + classes)), best first, at most the limit.

    Raises:
        UsageError: the last side is not what anchors and classes say.
    """
    rows, columns, values = raw.shape
    wanted = len(decoder.anchors) * (BOX_VALUES + decoder.classes)
    if values != wanted:
        raise UsageError(
            f"the output has {values} values a cell, anchors and classes say {wanted}",
            hint="each anchor has 5 values and one for each class",
        )
    sigmoid = sigmoid_table(decoder.scale, decoder.zero_point)
    growth = growth_table(decoder.scale, decoder.zero_point)
    softmax = softmax_table(decoder.scale)
    cells = raw.astype(np.int64).reshape(rows, columns, len(decoder.anchors), -1)
    scores = cells[..., BOX_VALUES:]
    best = np.argmax(scores, axis=-1)
    top = np.max(scores, axis=-1, keepdims=True)
    objectness = sigmoid[cells[..., 4] + 128]
    strength = (objectness << 15) // softmax[top - scores].sum(axis=-1)
    found = []
    for row, column, anchor in np.argwhere((objectness >= decoder.least) & (strength >= decoder.least)):
        x, y, width, height = (int(code) + 128 for code in cells[row, column, anchor, :4])
        sizes = decoder.anchor_sizes[anchor]
        left, right = _side(int(column) * CELL + int(sigmoid[x] >> 7), int(sizes[0] * growth[width] >> 13), columns)
        up, down = _side(int(row) * CELL + int(sigmoid[y] >> 7), int(sizes[1] * growth[height] >> 13), rows)
        place = row, column, anchor
        found.append(Box(left, up, right, down, int(strength[place]), int(best[place])))
    found.sort(key=lambda box: -box.score)
    return suppress(found[: decoder.limit], decoder.overlap)


def suppress(boxes: Sequence[Box], most_overlap: int) -> list[Box]:
    """``boxes``, best first, without those that overlap a better one of their class by more than so many 256ths."""
    kept: list[Box] = []
    for box in boxes:
        if not any(one.class_index == box.class_index and _overlaps(one, box, most_overlap) for one in kept):
            kept.append(box)
    return kept


def _side(centre: int, half: int, cells: int) -> tuple[int, int]:
    return max(0, min(centre - half, cells * CELL)), max(0, min(centre + half, cells * CELL))


def _area(left: int, top: int, right: int, bottom: int) -> int:
    return (right - left) * (bottom - top) if left < right and top < bottom else 0


def _overlaps(a: Box, b: Box, most: int) -> bool:
    common = _area(max(a.left, b.left), max(a.top, b.top), min(a.right, b.right), min(a.bottom, b.bottom))
    areas = [_area(box.left, box.top, box.right, box.bottom) for box in (a, b)]
    return common * 256 > most * (sum(areas) - common)
