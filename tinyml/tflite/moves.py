"""Parsers of ops that only move elements: their options become views or tables of positions.

Sources: TFLite ``kernels/strided_slice.cc`` with ``internal/strided_slice_logic.h``, ``split.cc``, ``unpack.cc``,
``internal/reference/resize_nearest_neighbor.h``, ``batch_to_space_nd.h``, ``kernels/mirror_pad.cc``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import Tensor
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.gather import GatherAttrs
from tinyml.graph.ops.move import MAX_ELEMENTS, MAX_LOOPS, Flat, TablesAttrs, fitted, view_of
from tinyml.tflite.context import Context, Parsed
from tinyml.tflite.flatbuffer import damaged

Array = npt.NDArray[Any]


def _view(context: Context, shape: tuple[int, ...], change: Callable[[Array], Array], source: int = 0) -> Parsed:
    """``change`` of input ``source`` where the output has ``shape``."""
    if context.output.shape != shape:
        raise damaged(f"{context.where} gives the shape {list(shape)}, its output has {list(context.output.shape)}")
    return view_of(context.input(source).shape, change), (source,)


def _bounded(context: Context) -> Tensor:
    """Input 0, where it and the output are no larger than tables of positions should be."""
    x = context.input(0)
    if max(x.elements, context.output.elements) > MAX_ELEMENTS:
        raise UnsupportedError(
            f"{context.where} moves {max(x.elements, context.output.elements)} elements, the limit is {MAX_ELEMENTS}",
            hint="no microcontroller holds it: use a smaller model",
        )
    return x


def _axis(context: Context, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise damaged(f"{context.where} has the axis {axis} of {rank} dimensions")
    return axis % rank


def transpose(context: Context) -> Parsed:
    """TRANSPOSE."""
    x, order = context.input(0), context.integers(1, "permutation")
    if sorted(order) != list(range(len(x.shape))):
        raise damaged(f"{context.where} has the permutation {list(order)} of {len(x.shape)} dimensions")
    return _view(context, tuple(x.shape[d] for d in order), lambda a: a.transpose(order))


def slice_(context: Context) -> Parsed:
    """SLICE; a size of -1 goes to the end."""
    shape = context.input(0).shape
    begins, sizes = context.integers(1, "begin"), context.integers(2, "size")
    if not len(begins) == len(sizes) == len(shape):
        raise damaged(f"{context.where} has {len(begins)} begins and {len(sizes)} sizes of {len(shape)} dimensions")
    ends = [n if size == -1 else begin + size for n, begin, size in zip(shape, begins, sizes, strict=True)]
    if any(not 0 <= begin < end <= n for n, begin, end in zip(shape, begins, ends, strict=True)):
        raise damaged(f"{context.where} takes {list(begins)} to {ends} of {list(shape)}")
    where = tuple(map(slice, begins, ends))
    return _view(context, tuple(e - b for b, e in zip(begins, ends, strict=True)), lambda a: a[where])


def strided_slice(context: Context) -> Parsed:
    """STRIDED_SLICE, as NumPy indexes: numbers where an axis shrinks, slices elsewhere."""
    options = context.options("StridedSliceOptions")
    begins, ends, strides = (context.integers(1 + i, what) for i, what in enumerate(("begin", "end", "strides")))
    shape = context.input(0).shape
    if not len(begins) == len(ends) == len(strides) or 0 in strides:
        raise damaged(f"{context.where} has begins {list(begins)}, ends {list(ends)}, strides {list(strides)}")
    if bool(options.Offset()):
        raise UnsupportedError(f"{context.where} takes its ends as offsets", hint="convert the model again")
    new, ellipsis = int(options.NewAxisMask()), int(options.EllipsisMask())
    taken = sum(not (new | ellipsis) >> i & 1 for i in range(len(begins)))
    if taken > len(shape):
        raise damaged(f"{context.where} indexes {taken} of {len(shape)} dimensions")
    where: list[Any] = []
    axis = 0
    for i, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        if ellipsis >> i & 1:
            where.append(Ellipsis)
            axis = len(shape) - sum(not new >> j & 1 for j in range(i + 1, len(begins)))
        elif new >> i & 1:
            where.append(None)
        else:
            from_start, to_end = int(options.BeginMask()) >> i & 1, int(options.EndMask()) >> i & 1
            chosen = slice(None if from_start else begin, None if to_end else end, stride)
            shrinks = int(options.ShrinkAxisMask()) >> i & 1
            where.append(_position(chosen, shape[axis]) if shrinks else chosen)
            axis += 1
    if Ellipsis not in where:
        where.append(Ellipsis)
    sliced = np.empty(shape, np.int8)[tuple(where)]
    if sliced.size == 0:
        raise damaged(f"{context.where} takes nothing of {list(shape)}")
    return _view(context, sliced.shape, lambda a: a[tuple(where)])


def _position(chosen: slice, size: int) -> int:
    """The single position where an axis shrinks: the begin, clamped into the axis."""
    if chosen.start is None:
        return 0 if chosen.step > 0 else size - 1
    begin = int(chosen.start) + size if chosen.start < 0 else int(chosen.start)
    return max(0, min(size - 1, begin))


def split(context: Context) -> Parsed:
    """SPLIT: its axis comes before its input."""
    axes, shape = context.integers(0, "axis"), context.input(1).shape
    axis = _axis(context, axes[0], len(shape))
    parts = len(context.outputs)
    if shape[axis] % parts:
        raise damaged(f"{context.where} splits {shape[axis]} into {parts} equal parts")
    size = shape[axis] // parts
    return _part(context, axis, context.position * size, size, 1)


def split_v(context: Context) -> Parsed:
    """SPLIT_V; one size may be -1, what is left."""
    shape, sizes = context.input(0).shape, list(context.integers(1, "sizes"))
    axis = _axis(context, context.integers(2, "axis")[0], len(shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(sizes) - 1
    if len(sizes) != len(context.outputs) or sum(sizes) != shape[axis] or min(sizes) < 1:
        raise damaged(f"{context.where} splits {shape[axis]} into {sizes} for {len(context.outputs)} outputs")
    return _part(context, axis, sum(sizes[: context.position]), sizes[context.position], 0)


def _part(context: Context, axis: int, begin: int, size: int, source: int) -> Parsed:
    shape = context.input(source).shape
    where = (slice(None),) * axis + (slice(begin, begin + size),)
    return _view(context, (*shape[:axis], size, *shape[axis + 1 :]), lambda a: a[where], source)


def unpack(context: Context) -> Parsed:
    """UNPACK."""
    options, shape = context.options("UnpackOptions"), context.input(0).shape
    axis = _axis(context, int(options.Axis()), len(shape))
    if shape[axis] != len(context.outputs) or int(options.Num()) != len(context.outputs):
        raise damaged(f"{context.where} unpacks {shape[axis]} slices to {len(context.outputs)} outputs")
    return _view(context, (*shape[:axis], *shape[axis + 1 :]), lambda a: a[(slice(None),) * axis + (context.position,)])


def tile(context: Context) -> Parsed:
    """TILE."""
    shape, multiples = _bounded(context).shape, context.integers(1, "multiples")
    tiled = tuple(m * n for m, n in zip(multiples, shape, strict=False))
    if len(multiples) != len(shape) or min(multiples, default=1) < 1 or tiled != context.output.shape:
        raise damaged(f"{context.where} has the multiples {list(multiples)} of {len(shape)} dimensions")
    tables: list[Flat] = [
        np.arange(m * n, dtype=np.int64) % n * int(np.prod(shape[d + 1 :]))
        for d, (m, n) in enumerate(zip(multiples, shape, strict=True))
    ]
    return _tables(context, tables, tuple(t.size for t in tables))


def broadcast_to(context: Context) -> Parsed:
    """BROADCAST_TO."""
    shape, wanted = context.input(0).shape, context.integers(1, "shape")
    fits = len(wanted) >= len(shape) and all(
        n in (1, m) for n, m in zip(shape, wanted[len(wanted) - len(shape) :], strict=True)
    )
    if not fits or context.output.shape != wanted:
        raise damaged(f"{context.where} broadcasts {list(shape)} to {list(wanted)}")
    return _view(context, wanted, lambda a: np.broadcast_to(a, wanted))


def reverse(context: Context) -> Parsed:
    """REVERSE_V2."""
    shape = context.input(0).shape
    axes = tuple(_axis(context, axis, len(shape)) for axis in context.integers(1, "axes"))
    return _view(context, shape, lambda a: np.flip(a, axes))


def _image(context: Context) -> tuple[int, int, int, int]:
    shape = context.input(0).shape
    if len(shape) != 4:
        raise UnsupportedError(f"{context.where} has an input of shape {list(shape)}", hint="it takes 4 dimensions")
    return shape[0], shape[1], shape[2], shape[3]


def space_to_depth(context: Context) -> Parsed:
    """SPACE_TO_DEPTH."""
    batch, height, width, depth = _image(context)
    block = int(context.options("SpaceToDepthOptions").BlockSize())
    if block < 1 or height % block or width % block:
        raise damaged(f"{context.where} has blocks of {block} in {height}x{width}")
    rows, columns = height // block, width // block
    return _view(
        context,
        (batch, rows, columns, block * block * depth),
        lambda a: a.reshape(batch, rows, block, columns, block, depth).transpose(0, 1, 3, 2, 4, 5),
    )


def depth_to_space(context: Context) -> Parsed:
    """DEPTH_TO_SPACE."""
    batch, rows, columns, channels = _image(context)
    block = int(context.options("DepthToSpaceOptions").BlockSize())
    if block < 1 or channels % (block * block):
        raise damaged(f"{context.where} has blocks of {block} in {channels} channels")
    depth = channels // (block * block)
    return _view(
        context,
        (batch, rows * block, columns * block, depth),
        lambda a: a.reshape(batch, rows, columns, block, block, depth).transpose(0, 1, 3, 2, 4, 5),
    )


def _blocks(context: Context, what: str) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    shape, blocks, flat = _bounded(context).shape, context.integers(1, "block shape"), context.integers(2, what)
    pairs = list(zip(flat[0::2], flat[1::2], strict=False))
    if len(shape) < len(blocks) + 1 or len(flat) != 2 * len(blocks) or min(blocks, default=0) < 1 or min(flat) < 0:
        raise damaged(f"{context.where} has the blocks {list(blocks)} and {what} {list(flat)} of {list(shape)}")
    return blocks, pairs


def space_to_batch(context: Context) -> Parsed:
    """SPACE_TO_BATCH_ND."""
    shape = context.input(0).shape
    blocks, pads = _blocks(context, "paddings")
    if any(p for pair in pads for p in pair):
        raise UnsupportedError(
            f"{context.where} pads by {pads} while it moves blocks to the batch",
            hint="use Conv2D with dilation_rate, one for each input, or pad in a layer of its own",
        )
    spatial = shape[1 : 1 + len(blocks)]
    if any(n % b for n, b in zip(spatial, blocks, strict=True)):
        raise damaged(f"{context.where} has blocks of {list(blocks)} in {list(spatial)}")
    rest = shape[1 + len(blocks) :]
    counts = tuple(n // b for n, b in zip(spatial, blocks, strict=True))
    cut = (shape[0], *(n for pair in zip(counts, blocks, strict=True) for n in pair), *rest)
    order = (*(2 + 2 * i for i in range(len(blocks))), 0, *(1 + 2 * i for i in range(len(blocks))))
    order += tuple(range(1 + 2 * len(blocks), len(cut)))
    batch = int(np.prod(blocks)) * shape[0]
    return _view(context, (batch, *counts, *rest), lambda a: a.reshape(cut).transpose(order))


def batch_to_space(context: Context) -> Parsed:
    """BATCH_TO_SPACE_ND: where crops leave no strided view, a table for each spatial dimension."""
    shape = context.input(0).shape
    blocks, crops = _blocks(context, "crops")
    count = len(blocks)
    batch = shape[0] // int(np.prod(blocks))
    if shape[0] % int(np.prod(blocks)):
        raise damaged(f"{context.where} has blocks of {list(blocks)} in a batch of {shape[0]}")
    steps = np.array([int(np.prod(shape[d + 1 :])) for d in range(len(shape))], np.int64)
    tables, wanted, after = [np.arange(batch, dtype=np.int64) * steps[0]], [batch], int(np.prod(blocks)) * batch
    for d, (block, (before, behind)) in enumerate(zip(blocks, crops, strict=True)):
        after //= block
        positions = np.arange(before, shape[1 + d] * block - behind, dtype=np.int64)
        tables.append(positions % block * after * steps[0] + positions // block * steps[1 + d])
        wanted.append(len(positions))
    tables.append(np.arange(steps[count], dtype=np.int64))
    return _tables(context, tables, (*wanted, *shape[1 + count :]))


def _tables(context: Context, tables: list[Flat], wanted: tuple[int, ...]) -> Parsed:
    if context.output.shape != wanted or not all(t.size for t in tables):
        raise damaged(f"{context.where} gives the shape {list(wanted)}, its output has {list(context.output.shape)}")
    return simplest([t for t in tables if t.size > 1 or t[0]]), 1


def simplest(tables: list[Flat]) -> Attrs:
    """A view where there is one, tables otherwise; neighbours that make one table of consecutive elements are one."""
    joined = [np.zeros(1, np.int64)]
    for table in tables:
        both = np.add.outer(joined[-1], table).reshape(-1)
        if joined[-1].size == 1 or np.array_equal(both, both[0] + np.arange(both.size)):
            joined[-1] = both
        else:
            joined.append(table)
    attrs = TablesAttrs(tuple(tuple(t.tolist()) for t in joined))
    view = fitted(attrs.flat())
    return attrs if view is None or len(view.sizes) > MAX_LOOPS else view


def mirror_pad(context: Context) -> Parsed:
    """MIRROR_PAD."""
    shape, flat = _bounded(context).shape, context.integers(1, "paddings")
    symmetric = int(context.options("MirrorPadOptions").Mode()) == schema.MirrorPadMode.SYMMETRIC
    if len(flat) != 2 * len(shape):
        raise damaged(f"{context.where} has {len(flat)} paddings for {len(shape)} dimensions")
    if any(not 0 <= p <= n - (not symmetric) for n, pair in zip(shape, _pairs(flat), strict=True) for p in pair):
        raise damaged(f"{context.where} mirrors {list(flat)} of {list(shape)}")
    tables: list[Flat] = []
    for d, (size, pair) in enumerate(zip(shape, _pairs(flat), strict=True)):
        positions = np.pad(np.arange(size, dtype=np.int64), pair, mode="symmetric" if symmetric else "reflect")
        tables.append(positions * int(np.prod(shape[d + 1 :])))
    return _tables(context, tables, tuple(t.size for t in tables))


def _pairs(flat: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip(flat[0::2], flat[1::2], strict=True))


def resize_nearest(context: Context) -> Parsed:
    """RESIZE_NEAREST_NEIGHBOR, whose positions TFLite computes in float32."""
    options = context.options("ResizeNearestNeighborOptions")
    _bounded(context)
    batch, height, width, depth = _image(context)
    size = context.integers(1, "size")
    if len(size) != 2 or min(size) < 1 or max(size) > 1 << 15:
        raise damaged(f"{context.where} has the size {list(size)}")
    corners, centres = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
    rows, columns = (
        _nearest(wanted, source, corners=corners, centres=centres)
        for wanted, source in zip(size, (height, width), strict=True)
    )
    tables = [
        np.arange(batch, dtype=np.int64) * height * width * depth,
        rows * width * depth,
        columns * depth,
        np.arange(depth, dtype=np.int64),
    ]
    return _tables(context, tables, (batch, *size, depth))


def _nearest(wanted: int, size: int, *, corners: bool, centres: bool) -> Flat:
    """``GetNearestNeighbor`` for every position of the output."""
    one = np.float32(1)
    scale = (
        np.float32(size - 1) / np.float32(wanted - 1)
        if corners and wanted > 1
        else np.float32(size) / np.float32(wanted)
    )
    at = (np.arange(wanted).astype(np.float32) + (one / 2 if centres else np.float32(0))) * scale
    near: Flat = np.floor(at + one / 2 if corners else at).astype(np.int64)
    return np.minimum(near, size - 1)


def gather(context: Context) -> Parsed:
    """GATHER; TFLite refuses indices outside of the axis."""
    options, x, indices = context.options("GatherOptions"), _bounded(context), context.input(1)
    axis = _axis(context, int(options.Axis()), len(x.shape))
    if int(options.BatchDims()):
        raise UnsupportedError(
            f"{context.where} has {int(options.BatchDims())} batch dimensions", hint="gather along one axis"
        )
    if indices.data is None:
        return GatherAttrs(axis), 2
    rows = context.constant(1).data
    assert rows is not None
    if not np.issubdtype(rows.dtype, np.integer) or rows.min() < 0 or rows.max() >= x.shape[axis]:
        raise damaged(f"{context.where} takes {rows.min()} to {rows.max()} of {x.shape[axis]}")
    inner = int(np.prod(x.shape[axis + 1 :]))
    outer = int(np.prod(x.shape[:axis]))
    tables = [
        np.arange(outer, dtype=np.int64) * inner * x.shape[axis],
        rows.reshape(-1).astype(np.int64) * inner,
        np.arange(inner, dtype=np.int64),
    ]
    return _tables(context, tables, (*x.shape[:axis], *rows.shape, *x.shape[axis + 1 :]))


MOVE_PARSERS: dict[str, Callable[[Context], Parsed]] = {
    "TRANSPOSE": transpose,
    "STRIDED_SLICE": strided_slice,
    "SLICE": slice_,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "UNPACK": unpack,
    "TILE": tile,
    "BROADCAST_TO": broadcast_to,
    "REVERSE_V2": reverse,
    "SPACE_TO_DEPTH": space_to_depth,
    "DEPTH_TO_SPACE": depth_to_space,
    "SPACE_TO_BATCH_ND": space_to_batch,
    "BATCH_TO_SPACE_ND": batch_to_space,
    "GATHER": gather,
    "MIRROR_PAD": mirror_pad,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
}
