"""DEPTHWISE_CONV_2D of one output row: 3×3 on ``tml_depthwise_row3_dsp``, 5×5 and 7×7 on ``tml_depthwise_row_dsp``.

Of a layer that is computed row by row only the arguments ``height`` and ``pad_top`` differ from call to call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.lower.dsp.gemm import in_words
from tinyml.lower.dsp.requant import Ints64, Layer, Words, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.matrix_product import of_depthwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Optimize, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit

_STEPS = {Optimize.SPEED: 2, Optimize.BALANCED: 2, Optimize.SIZE: 0}
_FOURS = {Optimize.SPEED: 6, Optimize.BALANCED: 5, Optimize.SIZE: 1}
_SLACK_BYTES = 32
_MOST_CHANNELS, _MOST_PLANE_CHANNELS, _WIDEST_PITCH = 4095, 1023, 1000
"""What fits the immediate operands of ADD."""


def _one_row(graph: Graph, op: Op, kernels: tuple[int, ...], most_channels: int) -> Verdict:
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    height, width = constant(graph, op, 1).shape[1:3]
    if output.shape[1] != 1:
        return unfit(f"one row of output, here {output.shape[1]}")
    if height != width or width not in kernels:
        return unfit(f"a kernel of {' or '.join(f'{k}×{k}' for k in kernels)}, here {height}×{width}")
    if attrs.multiplier != 1 or attrs.stride_w > 2 or not attrs.dilation_h == attrs.dilation_w == 1:
        return unfit("a multiplier of 1, a horizontal stride of 1 or 2, and no dilation")
    if max(attrs.pad_left, attrs.pad_top) >= width:
        return unfit(f"padding narrower than the kernel, here {attrs.pad_top} above and {attrs.pad_left} to the left")
    if x.shape[3] > most_channels:
        return unfit(f"at most {most_channels:,} channels, here {x.shape[3]:,}")
    return APPLIES


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One row of output from a 3×3 kernel, a multiplier of 1, no dilation, a horizontal stride of 1 or 2."""
    return _one_row(graph, op, (3,), _MOST_CHANNELS)


def plane_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One row of output from a 5×5 or 7×7 kernel, a multiplier of 1, no dilation, a horizontal stride of 1 or 2, rows
    of at most 1,000 columns.
    """
    verdict = _one_row(graph, op, (5, 7), _MOST_PLANE_CHANNELS)
    if verdict and _pitch(graph, op) > _WIDEST_PITCH:
        return unfit(f"rows of at most {_WIDEST_PITCH:,} columns, here {_pitch(graph, op):,}")
    return verdict


def _pitch(graph: Graph, op: Op) -> int:
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    kernel_w: int = constant(graph, op, 1).shape[2]
    return max(attrs.pad_left + x.shape[2], (output.shape[2] - 1) * attrs.stride_w + kernel_w)


def _product(graph: Graph, op: Op) -> Layer:
    return layer(*of_depthwise(graph, op))


def _words(columns: Sequence[Ints64 | Words]) -> Words:
    return np.concatenate([column.astype(np.int32) for column in columns], axis=1).ravel()


def pack(product: Layer) -> Words:
    """The streams of all channels: the lowest row's taps, scale, bias, pairs of the two upper rows."""
    taps = product.weights.reshape(-1, 3, 3)
    requant = product.requant
    heads = np.stack([requant.mul, requant.par, product.bias + requant.start], axis=1)
    return _words([in_words(taps[:, 2, :2], taps[:, 2, 1:]), heads, in_words(taps[:, 0], taps[:, 1])])


def pack_plane(product: Layer, kernel: int, stride_w: int) -> Words:
    """The streams of all channels: bias, pairs of rows, the last row's taps as ``tml_depthwise_conv2d_dsp`` has them,
    scale.
    """
    taps, requant = product.weights.reshape(-1, kernel, kernel), product.requant
    upper = [in_words(taps[:, row], taps[:, row + 1]) for row in range(0, kernel - 1, 2)]
    last = taps[:, -1]
    if stride_w == 2:
        even = np.pad(last, ((0, 0), (0, 1)))
        lowest = [in_words(even[:, 0::2], even[:, 1::2])]
    else:
        lowest = [in_words(last[:, 0:-1:2], last[:, 1::2]), in_words(last[:, 1:-1:2], last[:, 2::2])]
    bias = (product.bias + requant.start)[:, None]
    return _words([bias, *upper, *lowest, np.stack([requant.mul, requant.par], axis=1).astype(np.int64)])


def pack_plane_bytes(product: Layer, kernel: int, stride_w: int) -> Words:
    """The streams of :func:`pack_plane` with the halves of two words as the bytes of one, behind bias and scale."""
    words = pack_plane(product, kernel, stride_w).reshape(len(product.weights), -1).astype(np.int64)
    taps = np.pad(words[:, 1:-2], ((0, 0), (0, words.shape[1] % 2 == 0)))
    low, high = taps & 0xFF, taps >> 16 & 0xFF
    packed = low[:, 0::2] | low[:, 1::2] << 8 | high[:, 0::2] << 16 | high[:, 1::2] << 24
    return _words([words[:, :1], words[:, -2:], packed])


def _worth_packing(words: int, macs_a_row: int, optimize: Optimize) -> bool:
    """Whether taps stay bytes in flash: expanding takes about two instructions a word, a product about 1.3.

    For size always, for speed never, else where it adds at most 2.5 % to a row's instructions.
    """
    if optimize is Optimize.BALANCED:
        return (2 * words + 8) * 40 <= 1.3 * macs_a_row
    return optimize is Optimize.SIZE


def _divisor(size: int, limit: int) -> int:
    return next((part for part in range(limit, 0, -1) if size % part == 0), 0) if size else 0


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_depthwise_row3_dsp``; in place where all of a layer is one row."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    product = _product(graph, op)
    width, out_w = x.shape[2], output.shape[2]
    inside = max(0, min(out_w // 2 if attrs.stride_w == 1 else out_w, (width - 2 + attrs.pad_left) // 2))
    ints: dict[str, int] = {
        "height": x.shape[1], "width": width, "channels": x.shape[3], "stride_w": attrs.stride_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_w": out_w,
        "unroll": _divisor(inside // 2, _STEPS[target.optimize]), "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_depthwise_row3_dsp", header="tml_depthwise_row_dsp.h", inputs=op.inputs[:1], args=args,
        consts=(Const("weights", pack(product), Role.WEIGHTS),), in_place=((0, 0),),
    )  # fmt: skip


def build_plane(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_depthwise_row_dsp``; in place where the output is no wider than the input."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    product = _product(graph, op)
    kernel: int = constant(graph, op, 1).shape[2]
    pitch, width, most = _pitch(graph, op), x.shape[2], _FOURS[target.optimize]
    words = kernel // 2 * kernel + (kernel - 1 if attrs.stride_w == 1 else (kernel + 1) // 2)
    packed = _worth_packing(words, kernel * kernel * output.shape[2], target.optimize)
    streams = (pack_plane_bytes if packed else pack_plane)(product, kernel, attrs.stride_w)
    turn = 1 if target.optimize is Optimize.SIZE else -(-words // 2)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": width, "channels": x.shape[3], "kernel_h": kernel, "kernel_w": kernel,
        "stride_w": attrs.stride_w, "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_w": output.shape[2],
        "pitch": pitch, "gather": _divisor(width // 4, most),
        "last_gather": _divisor((width - attrs.pad_left % 2) // 4, most), "unpack": turn if packed else 0,
        "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_depthwise_row_dsp", header="tml_depthwise_plane_row_dsp.h", inputs=op.inputs[:1],
        args=args, consts=(Const("weights", streams, Role.WEIGHTS),),
        scratch_bytes=4 * (kernel // 2 * pitch + (pitch + 1) // 2) + _SLACK_BYTES + (4 * (3 + words) if packed else 0),
        in_place=((0, 0),) if output.shape[2] <= width else (),
    )  # fmt: skip
    return replace(step, reason=f"taps as {'bytes, expanded a channel' if packed else 'pairs in flash'}")
