"""CONV_2D of several groups on ``tml_grouped_pointwise_dsp`` and ``tml_grouped_conv2d_dsp``.

The latter also runs DEPTHWISE_CONV_2D where no kernel of its own can, with a group for every channel.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs
from tinyml.lower.dsp.conv_2d import op_layer
from tinyml.lower.dsp.gemm import (
    ABSENT,
    Rows,
    choose_loop,
    choose_tail,
    in_words,
    ordered,
    pack_pairs,
    padded_order,
    pairs_of,
    patch_order,
    why_not,
)
from tinyml.lower.dsp.requant import Layer, Words
from tinyml.lower.ops.as_groups import applies_as_groups, build_as_groups
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.conv_2d import is_pointwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, proven, unfit

_HEADER = "tml_grouped_conv2d_dsp.h"
_BLOCK = 3


def _channels(graph: Graph, op: Op) -> int:
    """Output channels of a group."""
    return first_output(graph, op).shape[3] // cast(Conv2DAttrs, op.attrs).groups


@cache
def pairs_of_groups(channels: int) -> Rows:
    """The channels of all groups, each group's in twos."""
    pairs = pairs_of(channels)
    return lambda total: [first + channel for first in range(0, total, channels) for channel in pairs]


def _layer(graph: Graph, op: Op) -> Layer:
    """The op as a matrix product over each group's patches: channels in twos within a group, a single one alone."""
    channels = _channels(graph, op)
    if channels == 1:
        return op_layer(graph, op, None)
    return op_layer(graph, op, pairs_of_groups(channels))


def _fits(graph: Graph, op: Op) -> Verdict:
    if cast(Conv2DAttrs, op.attrs).groups == 1:
        return unfit("several groups, here one")
    return APPLIES if _channels(graph, op) == 1 else proven(why_not(_layer(graph, op)))


def pointwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several groups, 1×1, stride 1, and weights that pack in twos (or one output channel a group)."""
    return _fits(graph, op) if is_pointwise(graph, op) else unfit("not 1×1 with stride 1 and without padding")


def general_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several groups, and weights that pack in twos (or one output channel a group)."""
    return _fits(graph, op)


def pack_singles(layer: Layer, order: list[int]) -> Words:
    """The streams of ``tml_gemm_single_dsp``: for each channel its bias, words of two weights, mul and par."""
    halves = ordered(layer.weights, order)
    words = in_words(halves[:, 0::2], halves[:, 1::2])
    head = (layer.bias + layer.requant.start).astype(np.int32)[:, None]
    tail = np.stack([layer.requant.mul, layer.requant.par], axis=1)
    return np.concatenate([head, words, tail], axis=1).ravel()


def pack(layer: Layer, order: list[int], channels: int) -> Const:
    """The streams of all channels, ``channels`` of them a group."""
    words = pack_singles(layer, order) if channels == 1 else pack_pairs(layer, order)
    return Const("weights", words, Role.WEIGHTS)


def row_tail(pixels: int, words: int, target: Target) -> int:
    """Words a turn for pixels left over in a row; 0 where none are, or where three are computed again for size."""
    if pixels < _BLOCK:
        return next(part for part in range(min(words, 8), 0, -2) if words % part == 0)
    return choose_tail(pixels, words, target)


def build_pointwise(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_pointwise_dsp``."""
    x, attrs = first_input(graph, op), cast(Conv2DAttrs, op.attrs)
    depth = constant(graph, op, 1).shape[3]
    pixels, channels = x.shape[1] * x.shape[2], _channels(graph, op)
    loop = choose_loop((depth + 1) // 2, target)
    order = padded_order(patch_order(1, depth), loop.words)
    product = _layer(graph, op)
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(),
        Int("pixels", pixels), Int("depth", depth), Int("channels", channels), Int("groups", attrs.groups),
        Int("words", loop.words), Int("unroll", loop.unroll), Int("tail", row_tail(pixels, loop.words, target)),
        Int("out_pitch", channels * attrs.groups), *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_grouped_pointwise_dsp", header=_HEADER, inputs=op.inputs[:1], args=args,
        consts=(pack(product, order, channels),), scratch_bytes=12 * loop.words,
    )  # fmt: skip
    return replace(step, reason=loop.reason)


def _order(kernel_h: int, kernel_w: int, depth: int, *, joined: bool) -> list[int]:
    """How ``tml_row_dsp`` delivers a window: all rows at once, or with gaps between columns row by row."""
    if joined:
        return patch_order(kernel_h, kernel_w * depth)
    size = kernel_w * depth
    row = padded_order(patch_order(kernel_w, depth), (size + 1) // 2)
    return [ABSENT if i == ABSENT else y * size + i for y in range(kernel_h) for i in row]


def build_general(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_conv2d_dsp``."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    _, kernel_h, kernel_w, depth = constant(graph, op, 1).shape
    channels, out_w = _channels(graph, op), output.shape[2]
    order = _order(kernel_h, kernel_w, depth, joined=attrs.dilation_w == 1)
    loop = choose_loop((len(order) + 1) // 2, target)
    product = _layer(graph, op)
    columns = (out_w - 1) * attrs.stride_w + (kernel_w - 1) * attrs.dilation_w + 1
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "depth": depth, "groups": attrs.groups,
        "kernel_h": kernel_h, "kernel_w": kernel_w, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "dilation_h": attrs.dilation_h, "dilation_w": attrs.dilation_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_h": output.shape[1], "out_w": out_w,
        "channels": channels, "words": loop.words, "unroll": loop.unroll,
        "tail": row_tail(out_w, loop.words, target), "out_pitch": output.shape[3], "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_grouped_conv2d_dsp", header=_HEADER, inputs=op.inputs[:1], args=args,
        consts=(pack(product, padded_order(order, loop.words), channels),),
        scratch_bytes=12 * loop.words + kernel_h * columns * depth,
    )  # fmt: skip
    return replace(step, reason=loop.reason)


def depthwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several channels; any kernel, stride, dilation and padding; with a multiplier weights that pack in twos."""
    return applies_as_groups(graph, op, target, general_applies)


def build_depthwise(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_conv2d_dsp`` for DEPTHWISE_CONV_2D."""
    return build_as_groups(graph, op, target, build_general)
