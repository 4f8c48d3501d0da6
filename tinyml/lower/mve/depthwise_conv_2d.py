"""DEPTHWISE_CONV_2D on ``tml_depthwise_conv2d_mve``: which outputs make a block, and the tables of its lanes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.lower.mve.gemm import LANES, stream, vectors_of
from tinyml.lower.mve.product import Product, product
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.matrix_product import of_depthwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Optimize, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_MOST_OFFSET = 0xFFFF
_MOST_IMMEDIATE = 4095
_BAND_BYTES = {Optimize.SPEED: 32768, Optimize.BALANCED: 8192, Optimize.SIZE: 2048}
_MOST_VECTORS = 4
_CHANNEL_COST = 25
_FOUR_WINDOW = 4
_LOADED_BYTES = 8


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of an image: outputs, stride, kernel, and bytes from one input (output) to the next."""

    outputs: int
    stride: int
    kernel: int
    in_bytes: int
    out_bytes: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """How blocks of eight outputs cover a band: tiles of one block, and (along, across) of the first tile's outputs.

    ``tiles`` are the outputs at which the block's tiles begin, relative to the block; ``span`` is how many outputs a
    block covers along and across. ``four``: two tiles of 2×2 outputs, else four tiles of two neighbours, each from
    ``vectors`` of 16 inputs.
    """

    along: Direction
    across: Direction
    four: bool
    span: tuple[int, int]
    tiles: tuple[tuple[int, int], ...]
    vectors: int = 1

    def starts(self) -> list[tuple[int, int]]:
        """The first output of each block, (along, across); those at an end overlap the ones before."""
        along, across = (
            [min(i, max(direction.outputs - span, 0)) for i in range(0, direction.outputs, span)]
            for direction, span in zip((self.along, self.across), self.span, strict=True)
        )
        return [(i, j) for j in across for i in along]

    @property
    def cost(self) -> int:
        """Estimated instructions of one channel, without what every arrangement takes."""
        if self.four:
            block = 36 if self.tiles[1] == (2, 0) else 37
        else:
            block = 44 if self.vectors == 1 else 25 + 36 * self.vectors
        return len(self.starts()) * block

    def in_offset(self, tile: tuple[int, int]) -> int:
        """Bytes of the input from the block's start to that of a tile."""
        along, across = self.along, self.across
        return tile[0] * along.stride * along.in_bytes + tile[1] * across.stride * across.in_bytes

    def out_offset(self, place: tuple[int, int]) -> int:
        """Bytes of the output from the block's start to the output at ``place``."""
        return place[0] * self.along.out_bytes + place[1] * self.across.out_bytes

    def window(self) -> list[tuple[int, int]]:
        """The inputs of a tile, (along, across) from its start, in the order of the two gathers' lanes."""
        if self.four:
            return [(lane // 4 + 2 * half, lane % 4) for half in (0, 1) for lane in range(8)]
        reach = self.along.kernel + (self.along.stride if self.along.outputs > 1 else 0)
        inputs = [(i, j) for i in range(reach) for j in range(self.across.kernel)]
        return inputs + [inputs[0]] * (LANES * self.vectors - len(inputs))

    def outputs(self) -> list[tuple[int, int]]:
        """The outputs of a tile, one for each weight vector; those that do not exist stand for one that does."""
        last = (min(1, self.along.outputs - 1), min(1, self.across.outputs - 1))
        if self.four:
            return [(min(i, last[0]), min(j, last[1])) for i in (0, 1) for j in (0, 1)]
        return [(0, 0), (last[0], 0)]


def arrangements(along: Direction, across: Direction) -> Iterator[Blocks]:
    """The ways to cover outputs with blocks whose lines run along ``along``."""
    if along.stride == across.stride == 1 and max(along.kernel, across.kernel) <= 3:
        if along.outputs >= 4:
            yield Blocks(along, across, True, (4, 2), ((0, 0), (2, 0)))
        second = (0, min(2, max(across.outputs - 2, 0)))
        yield Blocks(along, across, True, (2, 4), ((0, 0), second))
    vectors = vectors_of(across.kernel * (along.kernel + along.stride))
    if vectors <= _MOST_VECTORS:
        # Where a block is larger than the map, its last tiles are done twice.
        last = max(along.outputs - 2, 0), across.outputs - 1
        for pairs in (4, 2, 1):
            lines = 4 // pairs
            tiles = tuple((min(2 * i, last[0]), min(j, last[1])) for j in range(lines) for i in range(pairs))
            yield Blocks(along, across, False, (2 * pairs, lines), tiles, vectors)


def _fits(blocks: Blocks) -> bool:
    """Offsets of lanes within halfwords, those of tiles within the immediates of ADD."""
    lanes = [i * blocks.along.in_bytes + j * blocks.across.in_bytes for i, j in blocks.window()]
    tiles = [blocks.in_offset(tile) + 2 * blocks.along.in_bytes for tile in blocks.tiles]
    places = [blocks.out_offset(place) for place in _places(blocks)]
    return max(lanes) <= _MOST_OFFSET and max(tiles) <= _MOST_IMMEDIATE and max(places) <= _MOST_OFFSET


def _places(blocks: Blocks) -> list[tuple[int, int]]:
    """Where the results lie in the order of the store's lanes: those of q0 and q1 in turn."""
    results = [(t[0] + o[0], t[1] + o[1]) for t in blocks.tiles for o in blocks.outputs()]
    return [results[lane // 2 + 4 * (lane % 2)] for lane in range(8)]


@dataclass(frozen=True, slots=True)
class Layout:
    """The padded band in scratch and the blocks that cover its outputs: ``tile`` rows of the output a band.

    The last band overlaps the one before where ``tile`` does not divide the rows. Rows that bands share are moved
    within scratch in whole vectors, so that bands are at least a vector apart.
    """

    tile: int
    rows: int
    pitch: int
    blocks: Blocks

    @property
    def band_pixels(self) -> int:
        """Pixels of the band."""
        return self.rows * self.pitch


def layout(graph: Graph, op: Op, target: Target) -> Layout | None:
    """The band that costs the fewest instructions within the limit, or the smallest; None where nothing fits."""
    output, depth = first_output(graph, op), first_input(graph, op).shape[3]
    out_h, channels = output.shape[1], output.shape[3]

    def size_bytes(plan: Layout) -> int:
        return plan.band_pixels * depth

    def cost(plan: Layout) -> int:
        loaded = size_bytes(plan) // _LOADED_BYTES
        return -(-out_h // plan.tile) * (channels * (plan.blocks.cost + _CHANNEL_COST) + loaded)

    found = [plan for tile in range(1, out_h + 1) if (plan := _layout(graph, op, tile)) is not None]
    small = [plan for plan in found if size_bytes(plan) <= _BAND_BYTES[target.optimize]]
    return min(small, key=cost) if small else min(found, key=size_bytes, default=None)


def _layout(graph: Graph, op: Op, tile: int) -> Layout | None:
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    _, kernel_h, kernel_w, channels = constant(graph, op, 1).shape
    out_h, out_w, depth = output.shape[1], output.shape[2], x.shape[3]
    rows = max((tile - 1) * attrs.stride_h + kernel_h, _FOUR_WINDOW, tile + 2)
    pitch = max((out_w - 1) * attrs.stride_w + kernel_w, _FOUR_WINDOW, out_w + 2)
    last_shift = (out_h - 1) % tile + 1
    if tile < out_h and last_shift * attrs.stride_h * pitch * depth < LANES:
        return None
    down = Direction(tile, attrs.stride_h, kernel_h, pitch * depth, out_w * channels)
    right = Direction(out_w, attrs.stride_w, kernel_w, depth, channels)
    ways = [b for pair in ((right, down), (down, right)) for b in arrangements(*pair) if _fits(b)]
    best = min(ways, key=lambda b: b.cost, default=None)
    return None if best is None else Layout(tile, rows, pitch, best)


def op_product(graph: Graph, op: Op) -> Product | str:
    """The op as one row of kernel_h · kernel_w weights for each output channel."""
    return product(*of_depthwise(graph, op))


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """No dilation, a kernel so small that 64 inputs give two outputs (7×7 and less), and a vector form."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    if attrs.dilation_h != 1 or attrs.dilation_w != 1:
        return unfit(f"no dilation, here {attrs.dilation_h} by {attrs.dilation_w}")
    if layout(graph, op, target) is None:
        _, kernel_h, kernel_w, channels = constant(graph, op, 1).shape
        return unfit(f"no block of outputs has few enough inputs: a {kernel_h}×{kernel_w} kernel, {channels} channels")
    found = op_product(graph, op)
    return unproven(found) if isinstance(found, str) else APPLIES


def tap_table(blocks: Blocks, right_is_along: bool) -> Const:
    """Which tap each lane of each weight vector takes; the zero behind the taps where an input is not for an output.

    Vectors in order of the inputs', those of a tile's outputs side by side.
    """
    kernel_h, kernel_w = blocks.across.kernel, blocks.along.kernel
    if not right_is_along:
        kernel_h, kernel_w = kernel_w, kernel_h
    table = np.full((blocks.vectors, len(blocks.outputs()), LANES), kernel_h * kernel_w, np.uint8)
    for index, (along, across) in enumerate(blocks.outputs()):
        seen: set[tuple[int, int]] = set()
        for lane, (i, j) in enumerate(blocks.window()):
            tap = i - along * blocks.along.stride, j - across * blocks.across.stride
            inside = 0 <= tap[0] < blocks.along.kernel and 0 <= tap[1] < blocks.across.kernel
            if inside and tap not in seen:
                seen.add(tap)
                row, column = (tap[1], tap[0]) if right_is_along else tap
                table[lane // LANES, index, 2 * (lane % 8) + lane % LANES // 8] = row * kernel_w + column
    return Const("taps", table, Role.TABLE)


def pack(found: Product) -> Const:
    """For each channel bias, multiplier, shift, zero point, taps and a zero, filled up to words."""
    channels, taps = found.weights.shape
    words = np.stack([found.bias, found.multiplier, found.shift, np.full(channels, found.zero_point)], axis=1)
    filled = np.pad(found.weights, ((0, 0), (0, 4 - taps % 4))).astype(np.int8)
    rows = np.concatenate([words.astype(np.int32).view(np.int8).reshape(channels, 16), filled], axis=1)
    return stream([rows])


def lane_table(blocks: Blocks) -> Const:
    """The offsets of both gathers' lanes and of the results."""
    gathers = [i * blocks.along.in_bytes + j * blocks.across.in_bytes for i, j in blocks.window()]
    results = [blocks.out_offset(place) for place in _places(blocks)]
    return Const("lanes", np.array(gathers + results, np.uint16), Role.TABLE)


def block_table(blocks: Blocks) -> Const:
    """The first input and output of each block, in bytes, and an end."""
    offsets = [(blocks.in_offset(start), blocks.out_offset(start)) for start in blocks.starts()] + [(-1, -1)]
    return Const("blocks", np.array(offsets, np.int32), Role.TABLE)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; in place where each band's outputs lie before the rows that are still to be read."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    plan, found = layout(graph, op, target), op_product(graph, op)
    assert plan is not None and isinstance(found, Product)
    blocks = plan.blocks
    right_is_along = blocks.along.in_bytes == x.shape[3]
    offsets = [blocks.in_offset(tile) for tile in blocks.tiles]
    half = 2 * blocks.along.in_bytes if blocks.four else 0
    weights = pack(found)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "depth": x.shape[3], "multiplier": attrs.multiplier,
        "stride_h": attrs.stride_h, "pad_top": attrs.pad_top, "pad_left": attrs.pad_left,
        "out_h": output.shape[1], "out_w": output.shape[2], "tile": plan.tile, "rows": plan.rows, "pitch": plan.pitch,
        "count": len(blocks.starts()),
        "stream_bytes": weights.size_bytes // len(found.weights), "vectors": blocks.vectors, "four": int(blocks.four),
        "d1": half, "e1": offsets[1], "e2": 0 if blocks.four else offsets[2], "e3": 0 if blocks.four else offsets[3],
        "in_pitch": x.shape[3], "out_pitch": output.shape[3], "in_zero_point": x.zero_point,
        "out_zero_point": found.zero_point, "out_min": found.clamps.low, "out_max": found.clamps.high,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), *(ConstRef(i) for i in range(4)), Scratch(), *(Int(k, v) for k, v in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_depthwise_conv2d_mve", header="tml_depthwise_conv2d_mve.h", inputs=op.inputs[:1],
        args=args, consts=(weights, tap_table(blocks, right_is_along), lane_table(blocks), block_table(blocks)),
        scratch_bytes=plan.band_pixels * x.shape[3] + (16 + 32 * blocks.vectors if blocks.vectors > 1 else 0),
        in_place=((0, 0),) if _in_place(graph, op, plan) else (),
    )  # fmt: skip


def _in_place(graph: Graph, op: Op, plan: Layout) -> bool:
    """After each band but the last, its outputs end before the first row of the input that the next one reads."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    if x.elements < output.elements:
        return False
    in_row, out_row = x.elements // x.shape[1], output.elements // output.shape[1]
    starts = [min(start, output.shape[1] - plan.tile) for start in range(0, output.shape[1], plan.tile)]
    return all(
        (start + plan.tile) * out_row <= (start * attrs.stride_h - attrs.pad_top + plan.rows) * in_row
        for start in starts[:-1]
    )
