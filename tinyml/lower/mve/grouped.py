"""CONV_2D of several groups on ``tml_grouped_pointwise_mve`` and ``tml_grouped_conv2d_mve``.

The latter also runs DEPTHWISE_CONV_2D where no kernel of its own can, with a group for every channel. Groups are
joined, with weights of 0 between them, where that fills vectors of 16 inputs and blocks of four channels better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs
from tinyml.lower.mve.conv_2d import choose_block, op_product, product_fits
from tinyml.lower.mve.gemm import LANES, pack_fours, places, stream, vectors_of
from tinyml.lower.mve.product import Ints64, Product
from tinyml.lower.ops.as_groups import applies_as_groups, build_as_groups
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.conv_2d import is_pointwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Scratch, Step, Target
from tinyml.lower.verdict import Verdict, unfit

_HEADER = "tml_grouped_conv2d_mve.h"
_OVERREAD = LANES - 1
_VECTOR_WORK, _BLOCK_WORK, _RUN_WORK = 14, 26, 4
"""Instructions of a vector by four channels and two pixels, of their roundings, of a run of two patches."""


@dataclass(frozen=True, slots=True)
class Joined:
    """``groups`` groups of ``depth`` inputs and ``channels`` outputs a pixel, each of ``size`` groups of the op."""

    size: int
    groups: int
    depth: int
    channels: int
    vectors: int

    @property
    def weight_bytes(self) -> int:
        """Bytes of all streams."""
        return self.groups * -(-self.channels // 4) * (48 + 64 * self.vectors)

    def work(self, runs: int) -> int:
        """Instructions for two pixels, about; ``runs`` is how many pieces a patch is gathered from."""
        blocks = -(-self.channels // 4) * (_VECTOR_WORK * self.vectors + _BLOCK_WORK)
        return self.groups * (blocks + _RUN_WORK * runs * -(-self.vectors // max(runs, 1)))


def choose_joined(graph: Graph, op: Op) -> Joined:
    """The joining that takes the fewest instructions, which saves flash as well: fewer channels are there twice."""
    groups = cast(Conv2DAttrs, op.attrs).groups
    out_c, kernel_h, kernel_w, depth = constant(graph, op, 1).shape
    taps, sizes = kernel_h * kernel_w, [size for size in range(1, groups + 1) if groups % size == 0]
    found = [
        Joined(size, groups // size, size * depth, size * out_c // groups, vectors_of(size * depth * taps))
        for size in sizes
    ]
    runs = 0 if is_pointwise(graph, op) else kernel_h
    return min(found, key=lambda one: (one.work(runs), one.weight_bytes))


def joined_weights(weights: Ints64, groups: int, size: int) -> Ints64:
    """Weights [O, KH, KW, C] of ``groups`` groups as [O, KH * KW * size * C] of joined groups, zeros between them."""
    out_c, kernel_h, kernel_w, depth = weights.shape
    wide = np.zeros((out_c, kernel_h, kernel_w, size, depth), np.int64)
    for channel in range(out_c):
        wide[channel, :, :, channel // (out_c // groups) % size] = weights[channel]
    return wide.reshape(out_c, -1)


def pack(graph: Graph, op: Op, found: Product, joined: Joined) -> Const:
    """The streams of all joined groups. Channels that the product has made constant have weights of 0 there."""
    attrs = cast(Conv2DAttrs, op.attrs)
    shape = constant(graph, op, 1).shape
    wide = joined_weights(found.weights.reshape(shape), attrs.groups, joined.size)
    parts = []
    for first in range(0, len(wide), joined.channels):
        group = slice(first, first + joined.channels)
        one = replace(
            found, weights=wide[group], bias=found.bias[group], multiplier=found.multiplier[group],
            shift=found.shift[group],
        )  # fmt: skip
        parts.append(pack_fours(one).data)
    return stream(parts)


def _fits(graph: Graph, op: Op) -> Verdict:
    """Several groups, an output pixel that a halfword offset spans, and a vector form."""
    several = cast(Conv2DAttrs, op.attrs).groups > 1
    return product_fits(graph, op) if several else unfit("several groups, here one")


def pointwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several groups, 1×1, stride 1, at least two pixels, and a vector form."""
    if not is_pointwise(graph, op):
        return unfit("not 1×1 with stride 1 and without padding")
    pixels = first_output(graph, op).shape[1] * first_output(graph, op).shape[2]
    return _fits(graph, op) if pixels >= 2 else unfit("at least two pixels, here one")


def general_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several groups, rows of at least two pixels, and a vector form; any kernel, stride, dilation and padding."""
    out_w = first_output(graph, op).shape[2]
    return _fits(graph, op) if out_w >= 2 else unfit("rows of at least two pixels, here one")


def depthwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several channels, rows of at least two pixels, and a vector form; any kernel, stride, dilation and padding."""
    return applies_as_groups(graph, op, target, general_applies)


def build_depthwise(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_conv2d_mve`` for DEPTHWISE_CONV_2D."""
    return build_as_groups(graph, op, target, build_general)


def build_pointwise(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_pointwise_mve``."""
    found = op_product(graph, op)
    assert isinstance(found, Product)
    x, joined = first_input(graph, op), choose_joined(graph, op)
    pixels = x.shape[1] * x.shape[2]
    overread = joined.vectors * LANES - joined.depth
    staged = 0 if overread == 0 else _staged(pixels, overread, x.shape[3])
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(),
        Int("pixels", pixels), Int("depth", joined.depth), Int("channels", joined.channels),
        Int("groups", joined.groups), Int("vectors", joined.vectors), Int("staged", staged),
        Int("out_pitch", joined.groups * joined.channels), *found.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_grouped_pointwise_mve", header=_HEADER, inputs=op.inputs[:1], args=args,
        consts=(pack(graph, op, found, joined), places(joined.channels, joined.groups * joined.channels)),
        scratch_bytes=staged * x.shape[3] + _OVERREAD if staged else 0,
    )  # fmt: skip
    return replace(step, reason=_reason(joined))


def _staged(pixels: int, overread: int, in_c: int) -> int:
    """How many of the last pixels run from scratch; never all but one."""
    least = max(-(-overread // in_c), 2)
    return least if pixels - least >= 2 else pixels


def _reason(joined: Joined) -> str:
    return f"{joined.size} groups joined" if joined.size > 1 else ""


def build_general(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_conv2d_mve``."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    _, kernel_h, kernel_w, _ = constant(graph, op, 1).shape
    found = op_product(graph, op)
    assert isinstance(found, Product)
    joined, out_w = choose_joined(graph, op), output.shape[2]
    patch_bytes = LANES * joined.vectors
    block = choose_block(out_w, patch_bytes)
    columns = (out_w - 1) * attrs.stride_w + (kernel_w - 1) * attrs.dilation_w + 1
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "depth": joined.depth, "groups": joined.groups,
        "kernel_h": kernel_h, "kernel_w": kernel_w, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "dilation_h": attrs.dilation_h, "dilation_w": attrs.dilation_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_h": output.shape[1], "out_w": out_w,
        "channels": joined.channels, "vectors": joined.vectors, "block": block,
        "out_pitch": joined.groups * joined.channels, "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(), *(Int(k, v) for k, v in ints.items()), *found.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_grouped_conv2d_mve", header=_HEADER, inputs=op.inputs[:1], args=args,
        consts=(pack(graph, op, found, joined), places(joined.channels, joined.groups * joined.channels)),
        scratch_bytes=block * patch_bytes + kernel_h * columns * joined.depth + 2 * LANES,
    )  # fmt: skip
    return replace(step, reason=_reason(joined))
