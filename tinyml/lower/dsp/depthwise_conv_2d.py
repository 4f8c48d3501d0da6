"""DEPTHWISE_CONV_2D on ``tml_depthwise_conv2d_dsp``: int16 planes, two taps a multiplication."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import DepthwiseConv2DAttrs
from tinyml.lower.dsp.gemm import AROUND_LOOP_BYTES, in_words
from tinyml.lower.dsp.requant import Layer, Words, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.matrix_product import of_depthwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Optimize, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit

_WIDTHS = (3, 5, 7)
_SLACK_BYTES = 32
_LDRD_PITCH, _WIDEST_PITCH = 170, 2000
_BAND_BYTES, _BAND_PART = 1024, 32
"""A plane may have that many bytes, or that part of the input and output together where it is more."""
_GATHER = {Optimize.SPEED: 24, Optimize.BALANCED: 12, Optimize.SIZE: 4}
_GATHER_BOTH = {Optimize.SPEED: 60, Optimize.BALANCED: 30, Optimize.SIZE: 4}
_BLOCK_CODE_BYTES = 220
_BLOCKS = {Optimize.SPEED: 6, Optimize.BALANCED: 3, Optimize.SIZE: 1}


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes that the kernel and its packing share: ``kernel_w`` is the padded width, ``rows`` are the input's rows."""

    kernel_w: int
    pitch: int
    tile: int
    rows: int
    square: bool
    scratch_bytes: int


def layout(graph: Graph, op: Op, kernel_w: int) -> Layout:
    """The plane of one channel: whole where it is small, otherwise the rows for a tile of the output's rows."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    kernel_h: int = constant(graph, op, 1).shape[1]
    out_h, out_w = output.shape[1], output.shape[2]
    pitch = max(attrs.pad_left + x.shape[2], (out_w - 1) * attrs.stride_w + kernel_w)
    pitch += pitch % 2
    square = kernel_h == kernel_w == 3 and attrs.stride_h == attrs.stride_w == 1 and min(out_h, out_w) >= 2
    square = square and pitch <= _LDRD_PITCH

    def scratch_bytes(tile: int) -> int:
        return 2 * pitch * ((tile - 1) * attrs.stride_h + kernel_h) + _SLACK_BYTES

    limit = max(_BAND_BYTES, (x.size_bytes + output.size_bytes) // _BAND_PART)
    tiles = [t for t in (*range(2, out_h, 2), out_h) if out_h == t or out_h % t != 1]
    tile = max((t for t in tiles if scratch_bytes(t) <= limit), default=tiles[0])
    rows = max(1, min(x.shape[1], (tile - 1) * attrs.stride_h + kernel_h - attrs.pad_top))
    return Layout(kernel_w, pitch, tile, rows, square, scratch_bytes(tile))


def padded_width(kernel_w: int) -> int | None:
    """The width that a kernel row is filled up to with zeros, None where it is too wide."""
    return next((width for width in _WIDTHS if kernel_w <= width), None)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """No dilation, a kernel at most 7 wide, a horizontal stride of 1 or 2, rows of at most 2,000 columns."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    kernel_w = constant(graph, op, 1).shape[2]
    width = padded_width(kernel_w)
    if width is None:
        return unfit(f"a kernel at most {_WIDTHS[-1]} wide, here {kernel_w}")
    if attrs.stride_w > 2:
        return unfit(f"a horizontal stride of 1 or 2, here {attrs.stride_w}")
    if not attrs.dilation_h == attrs.dilation_w == 1:
        return unfit(f"no dilation, here {attrs.dilation_h} by {attrs.dilation_w}")
    pitch = layout(graph, op, width).pitch
    return APPLIES if pitch <= _WIDEST_PITCH else unfit(f"rows of at most {_WIDEST_PITCH:,} columns, here {pitch:,}")


def pack(product: Layer, kernel_h: int, plan: Layout, stride_w: int) -> Words:
    """The streams of all channels; the weights are [channels, kernel_h * the real width]."""
    channels = len(product.weights)
    taps = product.weights.reshape(channels, kernel_h, -1)
    rows = np.pad(taps, ((0, 0), (0, 0), (0, plan.kernel_w - taps.shape[2])))
    bias = (product.bias + product.requant.start).astype(np.int32)[:, None]
    scales = np.stack([product.requant.mul, product.requant.par], axis=1)
    if stride_w == 2:
        even = np.pad(rows, ((0, 0), (0, 0), (0, 1)))
        words = in_words(even[..., 0::2], even[..., 1::2])
    else:
        straight, shifted = in_words(rows[..., 0:-1:2], rows[..., 1::2]), in_words(rows[..., 1:-1:2], rows[..., 2::2])
        words = np.concatenate([straight, shifted], axis=2)
    flat = words.reshape(channels, -1)
    before = 2 if plan.square else 0
    return np.concatenate([flat[:, :before], bias, flat[:, before:], scales], axis=1).ravel()


def pack_bytes(product: Layer, kernel_h: int, plan: Layout) -> Words:
    """The streams of all channels with their taps as bytes, which the kernel expands to those of :func:`pack`."""
    channels = len(product.weights)
    taps = product.weights.reshape(channels, kernel_h, -1)
    rows = np.pad(taps, ((0, 0), (0, 0), (0, plan.kernel_w - taps.shape[2]))).reshape(channels, -1)
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).astype(np.int8)
    heads = np.stack([product.bias + product.requant.start, product.requant.mul, product.requant.par], axis=1)
    return np.concatenate([heads.astype(np.int32), padded.view(np.int32)], axis=1).ravel()


def stream_words(kernel_h: int, plan: Layout, stride_w: int) -> int:
    """Words of one output channel's stream as the kernel reads it."""
    return 3 + kernel_h * ((plan.kernel_w + 1) // 2 if stride_w == 2 else plan.kernel_w - 1)


def worth_packing(words: int, macs_a_channel: int, optimize: Optimize) -> bool:
    """Whether taps stay bytes in flash: expanding takes five to eight instructions a word, a product about 1.5.

    For size always, for speed never, else where it adds at most 5 % to the layer's instructions.
    """
    if optimize is Optimize.BALANCED:
        return 8 * words * 20 <= 1.5 * macs_a_channel
    return optimize is Optimize.SIZE


def _blocks(target: Target) -> int:
    """How many blocks of 2x2 outputs are unrolled, within what the cache in front of the flash holds."""
    wanted = _BLOCKS[target.optimize]
    if target.code_cache_bytes is None:
        return wanted
    return max(1, min(wanted, (target.code_cache_bytes - AROUND_LOOP_BYTES) // _BLOCK_CODE_BYTES))


def _divisor(size: int, limit: int) -> int:
    return next(part for part in range(min(size, limit), 0, -1) if size % part == 0)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; in place where each output byte lies at or before the last input byte that is needed for it."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    kernel_h, kernel_w = constant(graph, op, 1).shape[1:3]
    width = padded_width(kernel_w)
    assert width is not None
    plan = layout(graph, op, width)
    product = layer(*of_depthwise(graph, op))
    gather = _divisor(x.shape[2], _GATHER[target.optimize])
    words = stream_words(kernel_h, plan, attrs.stride_w)
    packed = worth_packing(words, kernel_h * kernel_w * output.shape[1] * output.shape[2], target.optimize)
    streams = pack_bytes(product, kernel_h, plan) if packed else pack(product, kernel_h, plan, attrs.stride_w)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "channels": x.shape[3], "multiplier": attrs.multiplier,
        "kernel_h": kernel_h, "kernel_w": width, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left,
        "out_h": output.shape[1], "out_w": output.shape[2], "pitch": plan.pitch, "tile": plan.tile,
        "gather": gather, "gather_rows": _divisor(plan.rows, _GATHER_BOTH[target.optimize] // gather),
        "unroll": _divisor(max(output.shape[2] // 2, 1), _blocks(target)), "packed": int(packed),
        "in_pitch": x.shape[3], "out_pitch": output.shape[3],
        "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    no_larger = output.shape[1] <= x.shape[1] and output.shape[2] <= x.shape[2] and attrs.pad_top < kernel_h
    step = make_step(
        graph, op, kernel="tml_depthwise_conv2d_dsp", header="tml_depthwise_conv2d_dsp.h", inputs=op.inputs[:1],
        args=args, consts=(Const("weights", streams, Role.WEIGHTS),),
        scratch_bytes=plan.scratch_bytes + (4 * words * attrs.multiplier if packed else 0),
        in_place=((0, 0),) if attrs.multiplier == 1 and no_larger else (),
    )  # fmt: skip
    return replace(step, reason=f"taps as {'bytes, expanded a channel' if packed else 'pairs in flash'}")
