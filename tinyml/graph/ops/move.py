"""Ops that only move elements: each element of the output is one element of the input, known when compiling.

Their attributes are no longer those of the file: all of them are a :class:`ViewAttrs` or a :class:`TablesAttrs`, so
that one kernel runs them all and one pass merges any of them that follow each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import ABSENT, DType, Graph, Op
from tinyml.graph.ops.base import Attrs, OpSpec
from tinyml.graph.ops.common import shape_text

MAX_LOOPS = 6
"""Nested loops of a view: what a transposition of as many dimensions as a tensor may have takes."""
MAX_TABLES = 4
MAX_ELEMENTS = 1 << 24
"""More than any microcontroller holds; positions of as many are worked out when compiling."""

Flat = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ViewAttrs(Attrs):
    """A strided view of the input: element ``offset + sum(i * stride)`` for the indices below ``sizes``, in elements.

    ``sizes`` are the fewest loops that give it, at least one; a stride may be negative, or 0 where elements repeat.
    """

    offset: int = 0
    sizes: tuple[int, ...] = (1,)
    strides: tuple[int, ...] = (1,)

    @property
    def elements(self) -> int:
        """Elements of the output."""
        return prod(self.sizes)

    @property
    def contiguous(self) -> bool:
        """Whether the output is one piece of the input."""
        return len(self.sizes) == 1 and self.strides == (1,)

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest element of the input that is read."""
        ends = [(n - 1) * s for n, s in zip(self.sizes, self.strides, strict=True)]
        return self.offset + sum(e for e in ends if e < 0), self.offset + sum(e for e in ends if e > 0)

    def flat(self) -> Flat:
        """For every element of the output, in order, which element of the input it is."""
        parts = [np.arange(n, dtype=np.int64) * s for n, s in zip(self.sizes, self.strides, strict=True)]
        return reduce(lambda a, b: np.add.outer(a, b).reshape(-1), parts, np.array([self.offset], np.int64))


@dataclass(frozen=True, slots=True)
class TablesAttrs(Attrs):
    """Element ``sum(tables[d][i_d])`` of the input: a table of offsets for each of some nested loops."""

    tables: tuple[tuple[int, ...], ...] = ()

    @property
    def elements(self) -> int:
        """Elements of the output."""
        return prod(map(len, self.tables))

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest element of the input that is read."""
        return sum(map(min, self.tables)), sum(map(max, self.tables))

    def flat(self) -> Flat:
        """For every element of the output, in order, which element of the input it is."""
        return reduce(
            lambda a, b: np.add.outer(a, np.array(b, np.int64)).reshape(-1), self.tables, np.zeros(1, np.int64)
        )


def view_of(shape: tuple[int, ...], change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> ViewAttrs:
    """What ``change``, which may only make views, does to an array of ``shape``.

    >>> view_of((2, 3), np.transpose)
    ViewAttrs(offset=0, sizes=(3, 2), strides=(1, 3))
    """
    array = np.empty(shape, np.int8)
    changed = change(array)
    offset = changed.__array_interface__["data"][0] - array.__array_interface__["data"][0]
    return merged(offset, changed.shape, changed.strides)


def merged(offset: int, sizes: tuple[int, ...], strides: tuple[int, ...]) -> ViewAttrs:
    """The view with the fewest loops."""
    loops: list[tuple[int, int]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if loops and loops[-1][1] == stride * size:
            loops[-1] = (loops[-1][0] * size, stride)
        else:
            loops.append((size, stride))
    if not loops:
        return ViewAttrs(offset)
    return ViewAttrs(offset, tuple(n for n, _ in loops), tuple(s for _, s in loops))


def fitted(flat: Flat) -> ViewAttrs | None:
    """The view that reads the elements ``flat`` of the input, None where there is none."""
    loops: list[tuple[int, int]] = []
    left = flat
    while left.size > 1:
        stride = int(left[1] - left[0])
        breaks = np.flatnonzero(np.diff(left) != stride)
        size = int(breaks[0]) + 1 if breaks.size else left.size
        rows = left.reshape(-1, size) if left.size % size == 0 else None
        if rows is None or not np.array_equal(rows, rows[:, :1] + stride * np.arange(size)):
            return None
        loops.insert(0, (size, stride))
        left = rows[:, 0]
    return merged(int(flat[0]), tuple(n for n, _ in loops), tuple(s for _, s in loops))


def moved(attrs: Attrs) -> ViewAttrs | TablesAttrs:
    """The attributes of an op that moves elements; raises TypeError for others."""
    if not isinstance(attrs, ViewAttrs | TablesAttrs):
        raise TypeError(f"{type(attrs).__name__} moves no elements")
    return attrs


class MoveSpec(OpSpec):
    """An op that moves elements as they are, of any type."""

    attrs_type: ClassVar[type[Attrs]] = ViewAttrs

    def constraint_attributes(self, graph: Graph, op: Op) -> str | None:
        """What is moved where is known when compiling: one input, one output, constant sizes and positions."""
        if len(op.inputs) != 1 or len(op.outputs) != 1 or op.inputs[0] == ABSENT:
            return f"got {len(op.inputs)} inputs and {len(op.outputs)} outputs"
        return None if isinstance(op.attrs, ViewAttrs | TablesAttrs) else f"got {type(op.attrs).__name__}"

    def constraint_type(self, graph: Graph, op: Op) -> str | None:
        """Input and output are int8, int32, int64 or bool, both the same."""
        x, y = graph.tensors[op.inputs[0]].dtype, graph.tensors[op.outputs[0]].dtype
        moves = x in (DType.INT8, DType.INT32, DType.INT64, DType.BOOL)
        return None if x is y and moves else f"got {x.value} to {y.value}"

    def constraint_elements(self, graph: Graph, op: Op) -> str | None:
        """Input and output have at most 2^24 elements."""
        most = max(graph.tensors[i].elements for i in (op.inputs[0], op.outputs[0]))
        return None if most <= MAX_ELEMENTS else f"got {most}"

    def constraint_run_time(self, graph: Graph, op: Op) -> str | None:
        """The output is computed at run time; of a constant input it is worked out when compiling."""
        return "it is constant" if graph.tensors[op.outputs[0]].is_constant else None

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output has the shape that the op gives, every element of it an element of the input."""
        x, y, attrs = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]], moved(op.attrs)
        low, high = attrs.span
        if attrs.elements == y.elements and low >= 0 and high < x.elements:
            return None
        return f"got elements {low} to {high} of {shape_text(x.shape)}, {attrs.elements} for {shape_text(y.shape)}"

    def constraint_loops(self, graph: Graph, op: Op) -> str | None:
        """It takes at most 6 nested loops, 4 where positions come from tables."""
        attrs = moved(op.attrs)
        count, most = (
            (len(attrs.sizes), MAX_LOOPS) if isinstance(attrs, ViewAttrs) else (len(attrs.tables), MAX_TABLES + 1)
        )
        return None if count <= most else f"it takes {count}"


class Transpose(MoveSpec):
    """Dimensions in another order; the permutation is constant, of at most 6 dimensions."""

    kind = "TRANSPOSE"


class StridedSlice(MoveSpec):
    """Part of a tensor with constant begin, end and strides, which may be negative, and every mask."""

    kind = "STRIDED_SLICE"


class Slice(MoveSpec):
    """Part of a tensor with constant begin and size."""

    kind = "SLICE"


class Split(MoveSpec):
    """Equal parts along a constant axis; each output is an op of its own."""

    kind = "SPLIT"


class SplitV(MoveSpec):
    """Parts of constant sizes along a constant axis; each output is an op of its own."""

    kind = "SPLIT_V"


class Unpack(MoveSpec):
    """Slices along an axis that goes away; each output is an op of its own."""

    kind = "UNPACK"


class Tile(MoveSpec):
    """A tensor repeated along its dimensions, with constant multiples."""

    kind = "TILE"


class BroadcastTo(MoveSpec):
    """A tensor broadcast to a constant shape."""

    kind = "BROADCAST_TO"


class ReverseV2(MoveSpec):
    """Elements in reverse order along constant axes."""

    kind = "REVERSE_V2"


class SpaceToDepth(MoveSpec):
    """Blocks of an image to channels."""

    kind = "SPACE_TO_DEPTH"


class DepthToSpace(MoveSpec):
    """Channels to blocks of an image."""

    kind = "DEPTH_TO_SPACE"


class SpaceToBatchNd(MoveSpec):
    """Blocks to the batch, with constant block sizes and no padding but what makes no difference."""

    kind = "SPACE_TO_BATCH_ND"


class BatchToSpaceNd(MoveSpec):
    """The batch to blocks, with constant block sizes and crops."""

    kind = "BATCH_TO_SPACE_ND"


class MirrorPad(MoveSpec):
    """Padding with what lies behind the border, with the border's own elements (SYMMETRIC) or without (REFLECT)."""

    kind = "MIRROR_PAD"


class ResizeNearestNeighbor(MoveSpec):
    """An image of another size, each pixel the nearest; both ways to place centres and corners."""

    kind = "RESIZE_NEAREST_NEIGHBOR"


MOVES: tuple[OpSpec, ...] = (
    Transpose(),
    StridedSlice(),
    Slice(),
    Split(),
    SplitV(),
    Unpack(),
    Tile(),
    BroadcastTo(),
    ReverseV2(),
    SpaceToDepth(),
    DepthToSpace(),
    SpaceToBatchNd(),
    BatchToSpaceNd(),
    MirrorPad(),
    ResizeNearestNeighbor(),
)
