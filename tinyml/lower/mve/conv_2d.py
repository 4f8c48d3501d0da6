"""CONV_2D on ``tml_pointwise_mve``, ``tml_conv2d_mve`` and, for a single pixel, ``tml_fully_connected_mve``."""

from __future__ import annotations

from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs
from tinyml.lower.mve import fully_connected
from tinyml.lower.mve.gemm import LANES, pack_fours, places, vectors_of
from tinyml.lower.mve.product import Product, product
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.conv_2d import is_pointwise
from tinyml.lower.ops.matrix_product import of_convolution
from tinyml.lower.program import Arg, ConstRef, In, Int, Optimize, Out, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_HEADER = "tml_conv2d_mve.h"
_BLOCK_BYTES, _MOST_BLOCK = 2304, 32
_OVERREAD = LANES - 1
_PADDED_BYTES = {Optimize.SPEED: 16384, Optimize.BALANCED: 4096, Optimize.SIZE: 0}


def op_product(graph: Graph, op: Op) -> Product | str:
    """The op as a matrix product over patches, or why it has no vector form."""
    return product(*of_convolution(graph, op))


def _pixels(graph: Graph, op: Op) -> int:
    _, height, width, _ = first_output(graph, op).shape
    return height * width


def _fits(graph: Graph, op: Op) -> Verdict:
    """One group, an output pixel that a halfword offset spans, and a vector form."""
    groups = cast(Conv2DAttrs, op.attrs).groups
    return product_fits(graph, op) if groups == 1 else unfit(f"{groups} groups")


def product_fits(graph: Graph, op: Op) -> Verdict:
    """An output pixel that a halfword offset spans, and a vector form."""
    channels = first_output(graph, op).shape[3]
    if channels + 4 > 0xFFFF:
        return unfit(f"output pixels that a halfword spans, here {channels:,} channels")
    found = op_product(graph, op)
    return unproven(found) if isinstance(found, str) else APPLIES


def pointwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """1×1, stride 1, at least two pixels, one group, shifts and accumulators that the vector forms round exactly."""
    if not is_pointwise(graph, op):
        return unfit("not 1×1 with stride 1 and without padding")
    return _fits(graph, op) if _pixels(graph, op) >= 2 else unfit("at least two pixels, here one")


def single_pixel_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """1×1 over a single pixel: a fully connected layer."""
    if not is_pointwise(graph, op):
        return unfit("not 1×1 with stride 1 and without padding")
    pixels = _pixels(graph, op)
    return _fits(graph, op) if pixels == 1 else unfit(f"a single pixel, here {pixels:,}")


def general_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One group, at least two pixels; any kernel, stride, dilation and padding."""
    return _fits(graph, op) if _pixels(graph, op) >= 2 else unfit("at least two pixels, here one")


def staged_pixels(pixels: int, depth: int) -> int:
    """How many of the last pixels run from scratch so that no vector reads behind the input; never all but one."""
    overread = vectors_of(depth) * LANES - depth
    if overread == 0:
        return 0
    least = max(-(-overread // depth), 2)
    return least if pixels - least >= 2 else pixels


def build_pointwise(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_pointwise_mve``."""
    found = op_product(graph, op)
    assert isinstance(found, Product)
    channels, depth = found.weights.shape
    pixels = _pixels(graph, op)
    staged = staged_pixels(pixels, depth)
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(),
        Int("pixels", pixels), Int("depth", depth), Int("channels", channels), Int("vectors", vectors_of(depth)),
        Int("staged", staged), Int("out_pitch", channels), *found.ints(),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_pointwise_mve", header=_HEADER, inputs=op.inputs[:1], args=args,
        consts=(pack_fours(found), places(channels, channels)),
        scratch_bytes=staged * depth + _OVERREAD if staged else 0,
    )  # fmt: skip


def build_single_pixel(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_fully_connected_mve`` with one row."""
    found = op_product(graph, op)
    assert isinstance(found, Product)
    return fully_connected.build_rows(graph, op, found)


def choose_block(pixels: int, patch_bytes: int) -> int:
    """How many pixels are gathered at a time: even, within the limits, computing the fewest twice; then the most."""
    most = min(_MOST_BLOCK, max(_BLOCK_BYTES // patch_bytes, 2), pixels)
    sizes = range(2, most + 1, 2)
    return min(sizes, key=lambda size: (-(-pixels // size) * size * (1 + 0.1 / size), -size))


def padded_size(graph: Graph, op: Op, target: Target) -> tuple[int, int]:
    """Rows and columns of the input with its padding, where it is worth a copy; (0, 0) where it is not."""
    attrs = cast(Conv2DAttrs, op.attrs)
    output = first_output(graph, op)
    _, kernel_h, kernel_w, depth = constant(graph, op, 1).shape
    padded = attrs.pad_top or attrs.pad_left or attrs.pad_bottom or attrs.pad_right
    if not padded or attrs.dilation_w != 1:
        return 0, 0
    rows = (output.shape[1] - 1) * attrs.stride_h + (kernel_h - 1) * attrs.dilation_h + 1
    columns = max((output.shape[2] - 1) * attrs.stride_w + kernel_w, attrs.pad_left + 1)
    return (rows, columns) if rows * columns * depth <= _PADDED_BYTES[target.optimize] else (0, 0)


def build_general(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_conv2d_mve``."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    _, kernel_h, kernel_w, depth = constant(graph, op, 1).shape
    found = op_product(graph, op)
    assert isinstance(found, Product)
    channels, patch = found.weights.shape
    patch_bytes = LANES * vectors_of(patch)
    block = choose_block(_pixels(graph, op), patch_bytes)
    padded_h, padded_w = padded_size(graph, op, target)
    padded_bytes = padded_h * padded_w * depth + LANES if padded_h else 0
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "depth": depth, "kernel_h": kernel_h, "kernel_w": kernel_w,
        "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "dilation_h": attrs.dilation_h, "dilation_w": attrs.dilation_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left,
        "out_h": output.shape[1], "out_w": output.shape[2], "channels": channels,
        "vectors": vectors_of(patch), "block": block, "padded_h": padded_h, "padded_w": padded_w,
        "out_pitch": channels, "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(), *(Int(k, v) for k, v in ints.items()), *found.ints(),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_conv2d_mve", header=_HEADER, inputs=op.inputs[:1], args=args,
        consts=(pack_fours(found), places(channels, channels)),
        scratch_bytes=block * patch_bytes + LANES + padded_bytes,
    )  # fmt: skip
