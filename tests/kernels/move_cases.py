"""Random ops that move elements: shapes, parameters and types from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.support import move_builder as mb
from tests.support.tflite_builder import Builder

MAX_ELEMENTS = 600


class Draw:
    """Random shapes and parameters."""

    def __init__(self, seed: object) -> None:
        self.rng = np.random.default_rng(seed)

    def number(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def shape(self, rank: int, *, least: int = 1) -> tuple[int, ...]:
        """At most :data:`MAX_ELEMENTS` elements."""
        while True:
            shape = tuple(self.number(least, 7) for _ in range(rank))
            if np.prod(shape) <= MAX_ELEMENTS:
                return shape

    def image(self) -> tuple[int, ...]:
        return (1, *self.shape(3))

    def input(self, b: Builder, shape: tuple[int, ...]) -> int:
        """int8 mostly, sometimes int32."""
        if self.chance(0.8):
            return b.input(shape, scale=0.1, zero_point=self.number(-128, 127))
        return b.input(shape, scale=None, dtype="int32")


def _transpose(b: Builder, d: Draw) -> list[int]:
    rank = d.number(2, 6)
    x = d.input(b, d.shape(rank) if rank < 6 else d.shape(rank)[:rank])
    return [mb.transpose(b, x, d.rng.permutation(rank).tolist())]


def _slice(b: Builder, d: Draw) -> list[int]:
    shape = d.shape(d.number(1, 5))
    begin = [d.number(0, n - 1) for n in shape]
    size = [-1 if d.chance(0.2) else d.number(1, n - at) for n, at in zip(shape, begin, strict=True)]
    return [mb.slice_(b, d.input(b, shape), begin, size)]


def _strided_slice(b: Builder, d: Draw) -> list[int]:
    """Every mask; where nothing would be left it draws again."""
    while True:
        shape = d.shape(d.number(1, 4))
        begins, ends, strides, where = [], [], [], []
        masks = dict.fromkeys(("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"), 0)
        axis, position = 0, 0
        while axis < len(shape):
            size, bit = shape[axis], 1 << position
            begin, end = d.number(-size, size - 1), d.number(-size - 1, size + 1)
            stride = int(d.rng.choice([1, 1, 1, 2, 3, 4, -1, -2]))
            kind = d.rng.choice(["slice", "slice", "slice", "slice", "shrink", "new", "ellipsis"])
            if kind == "ellipsis" and masks["ellipsisMask"] == 0 and axis == 0 and len(shape) > 1:
                masks["ellipsisMask"] = bit
                axis = d.number(1, len(shape) - 1)
                where.append(Ellipsis)
            elif kind == "new" and len(shape) < 4:
                masks["newAxisMask"] |= bit
                where.append(None)
            else:
                if kind == "shrink":
                    masks["shrinkAxisMask"] |= bit
                    stride, end = 1, begin + 1
                    where.append(begin)
                else:
                    open_begin, open_end = d.chance(0.3), d.chance(0.3)
                    masks["beginMask"] |= bit * open_begin
                    masks["endMask"] |= bit * open_end
                    where.append(slice(None if open_begin else begin, None if open_end else end, stride))
                axis += 1
            begins.append(begin)
            ends.append(end)
            strides.append(stride)
            position += 1
        result = np.empty(shape, np.int8)[tuple(where)]
        if result.size and result.ndim <= 4 and position <= 5:
            return [mb.strided_slice(b, d.input(b, shape), begins, ends, strides, result.shape, **masks)]


def _split(b: Builder, d: Draw) -> list[int]:
    shape = list(d.shape(d.number(1, 4)))
    axis, count = d.number(0, len(shape) - 1), d.number(1, 4)
    shape[axis] = count * d.number(1, 4)
    return mb.split(b, d.input(b, tuple(shape)), axis, count)


def _split_v(b: Builder, d: Draw) -> list[int]:
    shape = list(d.shape(d.number(1, 4)))
    axis, sizes = d.number(0, len(shape) - 1), [d.number(1, 4) for _ in range(d.number(1, 4))]
    shape[axis] = sum(sizes)
    if d.chance():
        sizes[d.number(0, len(sizes) - 1)] = -1
    return mb.split_v(b, d.input(b, tuple(shape)), axis, sizes)


def _unpack(b: Builder, d: Draw) -> list[int]:
    shape = d.shape(d.number(2, 4))
    return mb.unpack(b, d.input(b, shape), d.number(0, len(shape) - 1))


def _tile(b: Builder, d: Draw) -> list[int]:
    shape = d.shape(d.number(1, 4))
    return [mb.tile(b, d.input(b, shape), [d.number(1, 3) for _ in shape])]


def _broadcast_to(b: Builder, d: Draw) -> list[int]:
    shape = d.shape(d.number(1, 4))
    kept = tuple(1 if d.chance() else n for n in shape[d.number(0, len(shape) - 1) :])
    return [mb.broadcast_to(b, d.input(b, kept), shape)]


def _reverse(b: Builder, d: Draw) -> list[int]:
    shape = d.shape(d.number(1, 4))
    first, last = sorted((d.number(0, len(shape) - 1), d.number(0, len(shape) - 1)))
    return [mb.reverse(b, d.input(b, shape), range(first, last + 1))]


def _space_to_depth(b: Builder, d: Draw) -> list[int]:
    block = d.number(1, 4)
    shape = (1, block * d.number(1, 3), block * d.number(1, 3), d.number(1, 5))
    return [mb.space_to_depth(b, d.input(b, shape), block)]


def _depth_to_space(b: Builder, d: Draw) -> list[int]:
    block = d.number(1, 4)
    shape = (1, d.number(1, 4), d.number(1, 4), block * block * d.number(1, 3))
    return [mb.depth_to_space(b, d.input(b, shape), block)]


def _space_to_batch(b: Builder, d: Draw) -> list[int]:
    blocks = [d.number(1, 3) for _ in range(d.number(1, 2))]
    shape = (1, *(block * d.number(1, 3) for block in blocks), d.number(1, 4))
    return [mb.space_to_batch(b, d.input(b, shape), blocks, [(0, 0)] * len(blocks))]


def _batch_to_space(b: Builder, d: Draw) -> list[int]:
    blocks = [d.number(1, 3) for _ in range(d.number(1, 2))]
    sizes = [d.number(2, 4) for _ in blocks]
    crops = [(d.number(0, 1), d.number(0, min(block, n - 1))) if block > 1 else (0, 0)
             for block, n in zip(blocks, sizes, strict=True)]  # fmt: skip
    shape = (int(np.prod(blocks)) * d.number(1, 2), *sizes, d.number(1, 4))
    return [mb.batch_to_space(b, d.input(b, shape), blocks, crops)]


def _gather(b: Builder, d: Draw) -> list[int]:
    shape = d.shape(d.number(1, 4))
    axis = d.number(0, len(shape) - 1)
    indices = d.rng.integers(0, shape[axis], d.shape(d.number(0, 2)) if d.chance() else d.number(1, 9))
    return [mb.gather(b, d.input(b, shape), b.constant(np.array(indices, np.int32)), axis)]


def _mirror_pad(b: Builder, d: Draw) -> list[int]:
    shape, symmetric = d.shape(d.number(1, 4), least=2), d.chance()
    most = [n - (not symmetric) if d.chance(0.7) else 0 for n in shape]
    pads = [(d.number(0, m), d.number(0, m)) for m in most]
    return [mb.mirror_pad(b, d.input(b, shape), pads, symmetric=symmetric)]


def _resize_nearest(b: Builder, d: Draw) -> list[int]:
    x, size = d.input(b, d.image()), (d.number(1, 13), d.number(1, 13))
    corners, centres = [(False, False), (True, False), (False, True)][d.number(0, 2)]
    return [mb.resize_nearest(b, x, size, corners=corners, centres=centres)]


MOVE_CASES: dict[str, Callable[[Builder, Draw], list[int]]] = {
    "TRANSPOSE": _transpose,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "UNPACK": _unpack,
    "TILE": _tile,
    "BROADCAST_TO": _broadcast_to,
    "REVERSE_V2": _reverse,
    "SPACE_TO_DEPTH": _space_to_depth,
    "DEPTH_TO_SPACE": _depth_to_space,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "GATHER": _gather,
    "MIRROR_PAD": _mirror_pad,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
}
