"""Adds ops that move elements to a model under construction, as the converter would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.support.tflite_builder import Builder


def like(b: Builder, x: int, shape: Sequence[int]) -> int:
    """A tensor of ``shape`` with the type and the quantisation of ``x``."""
    value = b.values[x]
    return b.tensor(shape, dtype=value.dtype, scale=value.scale or None, zero_point=value.zero_point)


def numbers(b: Builder, values: Sequence[int] | np.ndarray) -> int:
    """A constant of int32."""
    return b.constant(np.array(values, np.int32))


def transpose(b: Builder, x: int, order: Sequence[int]) -> int:
    """TRANSPOSE."""
    output = like(b, x, [b.values[x].shape[d] for d in order])
    return b.op("TRANSPOSE", [x, numbers(b, order)], [output], "TransposeOptions")


def slice_(b: Builder, x: int, begin: Sequence[int], size: Sequence[int]) -> int:
    """SLICE; -1 in ``size`` goes to the end."""
    shape = [n - at if s == -1 else s for n, at, s in zip(b.values[x].shape, begin, size, strict=True)]
    return b.op("SLICE", [x, numbers(b, begin), numbers(b, size)], [like(b, x, shape)], "SliceOptions")


def strided_slice(
    b: Builder,
    x: int,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int],
    shape: Sequence[int],
    **masks: int,
) -> int:
    """STRIDED_SLICE to ``shape``; ``masks`` are ``beginMask``, ``endMask`` and so on."""
    inputs = [x, *(numbers(b, values) for values in (begin, end, strides))]
    return b.op("STRIDED_SLICE", inputs, [like(b, x, shape)], "StridedSliceOptions", **masks)


def split(b: Builder, x: int, axis: int, count: int) -> list[int]:
    """SPLIT."""
    shape = list(b.values[x].shape)
    shape[axis] //= count
    outputs = [like(b, x, shape) for _ in range(count)]
    b.op("SPLIT", [b.constant(np.array(axis, np.int32)), x], outputs, "SplitOptions", numSplits=count)
    return outputs


def split_v(b: Builder, x: int, axis: int, sizes: Sequence[int]) -> list[int]:
    """SPLIT_V; one size may be -1."""
    shape = b.values[x].shape
    left = shape[axis] - sum(s for s in sizes if s > 0)
    outputs = [like(b, x, (*shape[:axis], s if s > 0 else left, *shape[axis + 1 :])) for s in sizes]
    inputs = [x, numbers(b, sizes), b.constant(np.array(axis, np.int32))]
    b.op("SPLIT_V", inputs, outputs, "SplitVOptions", numSplits=len(sizes))
    return outputs


def unpack(b: Builder, x: int, axis: int) -> list[int]:
    """UNPACK."""
    shape = list(b.values[x].shape)
    count = shape.pop(axis)
    outputs = [like(b, x, shape) for _ in range(count)]
    b.op("UNPACK", [x], outputs, "UnpackOptions", num=count, axis=axis)
    return outputs


def pack(b: Builder, parts: Sequence[int], axis: int) -> int:
    """PACK."""
    shape = list(b.values[parts[0]].shape)
    shape.insert(axis, len(parts))
    return b.op("PACK", parts, [like(b, parts[0], shape)], "PackOptions", valuesCount=len(parts), axis=axis)


def tile(b: Builder, x: int, multiples: Sequence[int]) -> int:
    """TILE."""
    output = like(b, x, [n * m for n, m in zip(b.values[x].shape, multiples, strict=True)])
    return b.op("TILE", [x, numbers(b, multiples)], [output], "TileOptions")


def broadcast_to(b: Builder, x: int, shape: Sequence[int]) -> int:
    """BROADCAST_TO."""
    return b.op("BROADCAST_TO", [x, numbers(b, shape)], [like(b, x, shape)], "BroadcastToOptions")


def reverse(b: Builder, x: int, axes: Sequence[int]) -> int:
    """REVERSE_V2."""
    return b.op("REVERSE_V2", [x, numbers(b, axes)], [like(b, x, b.values[x].shape)], "ReverseV2Options")


def space_to_depth(b: Builder, x: int, block: int) -> int:
    """SPACE_TO_DEPTH."""
    n, h, w, c = b.values[x].shape
    output = like(b, x, (n, h // block, w // block, c * block * block))
    return b.op("SPACE_TO_DEPTH", [x], [output], "SpaceToDepthOptions", blockSize=block)


def depth_to_space(b: Builder, x: int, block: int) -> int:
    """DEPTH_TO_SPACE."""
    n, h, w, c = b.values[x].shape
    output = like(b, x, (n, h * block, w * block, c // (block * block)))
    return b.op("DEPTH_TO_SPACE", [x], [output], "DepthToSpaceOptions", blockSize=block)


def space_to_batch(b: Builder, x: int, blocks: Sequence[int], pads: Sequence[tuple[int, int]]) -> int:
    """SPACE_TO_BATCH_ND."""
    shape = list(b.values[x].shape)
    shape[0] *= int(np.prod(blocks))
    for d, (block, pair) in enumerate(zip(blocks, pads, strict=True), 1):
        shape[d] = (shape[d] + sum(pair)) // block
    inputs = [x, numbers(b, blocks), numbers(b, pads)]
    return b.op("SPACE_TO_BATCH_ND", inputs, [like(b, x, shape)], "SpaceToBatchNDOptions")


def batch_to_space(b: Builder, x: int, blocks: Sequence[int], crops: Sequence[tuple[int, int]]) -> int:
    """BATCH_TO_SPACE_ND."""
    shape = list(b.values[x].shape)
    shape[0] //= int(np.prod(blocks))
    for d, (block, pair) in enumerate(zip(blocks, crops, strict=True), 1):
        shape[d] = shape[d] * block - sum(pair)
    inputs = [x, numbers(b, blocks), numbers(b, crops)]
    return b.op("BATCH_TO_SPACE_ND", inputs, [like(b, x, shape)], "BatchToSpaceNDOptions")


def mirror_pad(b: Builder, x: int, pads: Sequence[tuple[int, int]], *, symmetric: bool) -> int:
    """MIRROR_PAD."""
    output = like(b, x, [n + sum(pair) for n, pair in zip(b.values[x].shape, pads, strict=True)])
    return b.op("MIRROR_PAD", [x, numbers(b, pads)], [output], "MirrorPadOptions", mode=int(symmetric))


def resize_nearest(b: Builder, x: int, size: tuple[int, int], *, corners: bool = False, centres: bool = False) -> int:
    """RESIZE_NEAREST_NEIGHBOR."""
    n, _, _, c = b.values[x].shape
    output = like(b, x, (n, *size, c))
    options = {"alignCorners": corners, "halfPixelCenters": centres}
    return b.op("RESIZE_NEAREST_NEIGHBOR", [x, numbers(b, size)], [output], "ResizeNearestNeighborOptions", **options)


def gather(b: Builder, x: int, indices: int, axis: int) -> int:
    """GATHER with the indices in a tensor."""
    shape = b.values[x].shape
    output = like(b, x, (*shape[:axis], *b.values[indices].shape, *shape[axis + 1 :]))
    return b.op("GATHER", [x, indices], [output], "GatherOptions", axis=axis)


def every_move(b: Builder, x: int) -> int:
    """All of them one after the other, on ``x`` of shape [1, 12, C]: the result has the shape [1, 4]."""
    channels = b.values[x].shape[2]
    x = transpose(b, x, (0, 2, 1))
    x = slice_(b, x, (0, 0, 1), (1, channels, 8))
    x = b.reshape(x, (1, 2, 4, channels))
    x = depth_to_space(b, space_to_depth(b, x, 2), 2)
    x = batch_to_space(b, space_to_batch(b, x, (1, 2), [(0, 0), (0, 0)]), (1, 2), [(0, 0), (0, 0)])
    x = resize_nearest(b, mirror_pad(b, x, [(0, 0), (0, 0), (1, 0), (0, 0)], symmetric=True), (3, 4))
    x = reverse(b, tile(b, x, (1, 2, 1, 1)), (1,))
    x = strided_slice(b, x, (0, 0, 0, 0), (0, 4, 4, 1), (1, 2, 1, 1), (1, 2, 4, 1), beginMask=1, endMask=1)
    first, second = split(b, b.reshape(x, (2, 4)), 0, 2)
    x = pack(b, [b.reshape(first, (4,)), b.reshape(second, (4,))], 1)
    first, second = unpack(b, x, 1)
    x = b.concatenation([first, second], 0)
    low, _ = split_v(b, x, 0, (6, -1))
    x = gather(b, low, numbers(b, (5, 0, 0, 2)), 0)
    return broadcast_to(b, b.reshape(x, (1, 4)), (1, 4))
