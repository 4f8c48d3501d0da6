"""CONV_2D on ``tml_pointwise_dsp``, ``tml_conv2d_dsp`` and, for one or two pixels, ``tml_fully_connected_dsp``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs
from tinyml.lower.dsp import fully_connected, winograd
from tinyml.lower.dsp.gemm import (
    Rows,
    choose_blocks,
    choose_loop,
    choose_parts,
    choose_tail,
    fours_of,
    pack_pairs,
    padded_order,
    pairs_of,
    patch_order,
    why_no_words,
    why_not,
)
from tinyml.lower.dsp.requant import Layer, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.conv_2d import is_pointwise
from tinyml.lower.ops.matrix_product import of_convolution
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Optimize, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, proven, unfit

_HEADER = "tml_conv2d_dsp.h"
_LEAST_PIXELS = 3


@lru_cache(maxsize=4)
def op_layer(graph: Graph, op: Op, rows: Rows | None, *, in_parts: bool = False) -> Layer:
    """The op as a matrix product over patches.

    ``rows`` orders the output channels for packing in twos, None where they are not packed; ``in_parts`` as in
    :func:`tinyml.lower.dsp.requant.layer`.
    """
    product = of_convolution(graph, op)
    ordered = None if rows is None else rows(len(product.weights))
    return layer(*product, rows=ordered, in_parts=in_parts)


def _one_group(op: Op) -> Verdict:
    groups = cast(Conv2DAttrs, op.attrs).groups
    return APPLIES if groups == 1 else unfit(f"{groups} groups")


def _form(graph: Graph, op: Op) -> Verdict:
    """One group, 1×1 over all pixels as they are."""
    pointwise = APPLIES if is_pointwise(graph, op) else unfit("not 1×1 with stride 1 and without padding")
    return _one_group(op) and pointwise


def _pixels(graph: Graph, op: Op) -> int:
    x = first_input(graph, op)
    return x.shape[1] * x.shape[2]


def _blocks(graph: Graph, op: Op) -> Verdict:
    """The form, and at least one block of pixels."""
    pixels = _pixels(graph, op)
    enough = APPLIES if pixels >= _LEAST_PIXELS else unfit(f"pixels in blocks of {_LEAST_PIXELS}, here {pixels}")
    return _form(graph, op) and enough


def pointwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """1×1, stride 1, at least three pixels, and weights that pack in twos."""
    return _blocks(graph, op) and proven(why_not(op_layer(graph, op, pairs_of)))


def few_pixels_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """1×1, stride 1, one or two pixels, and weights that pack in twos: a fully connected layer of as many rows."""
    pixels, form = _pixels(graph, op), _form(graph, op)
    if form and pixels >= _LEAST_PIXELS:
        return unfit(f"fewer than {_LEAST_PIXELS} pixels, here {pixels}")
    return form and proven(why_not(op_layer(graph, op, fours_of)))


def general_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One group, and weights that pack in twos; any kernel, stride, dilation and padding."""
    return _one_group(op) and proven(why_not(op_layer(graph, op, pairs_of)))


def deep_pointwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """1×1, stride 1, at least three pixels, and weights that pack in twos; accumulators of any size."""
    return _blocks(graph, op) and _deep_applies(graph, op)


def deep_general_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One group, and weights that pack in twos; accumulators of any size."""
    return _one_group(op) and _deep_applies(graph, op)


def _deep_applies(graph: Graph, op: Op) -> Verdict:
    return proven(why_no_words(op_layer(graph, op, pairs_of, in_parts=True)))


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """How the kernels of three pixels sum a patch: ``words`` a pixel in ``parts``, ``unroll`` of them a turn."""

    product: Layer
    weights: Const
    words: int
    unroll: int
    parts: int
    reason: str

    @property
    def part_words(self) -> int:
        return self.words // self.parts

    def ints(self) -> dict[str, int]:
        """The arguments of the kernel, of the deep one with its parts."""
        return {"words": self.words, "unroll": self.unroll} | ({"parts": self.parts} if self.parts > 1 else {})


def _sums(graph: Graph, op: Op, target: Target, order: list[int], *, deep: bool) -> _Sums:
    """The sums over patches in ``order``; ``deep`` where accumulators may leave 24 bits."""
    product = op_layer(graph, op, pairs_of, in_parts=deep)
    least_words = (len(order) + 1) // 2
    parts = choose_parts(least_words) if deep else 1
    loop = choose_loop(-(-least_words // parts), target)
    words = parts * loop.words
    weights = Const("weights", pack_pairs(product, padded_order(order, words), deep=deep), Role.WEIGHTS)
    reason = f"sums in {parts} parts; {loop.reason}" if deep else loop.reason
    return _Sums(product, weights, words, loop.unroll, parts, reason)


def build_pointwise(graph: Graph, op: Op, target: Target, *, deep: bool = False) -> Step:
    """The step of ``tml_pointwise_dsp``; in place where the output is no deeper than the input."""
    channels, depth = first_output(graph, op).shape[3], first_input(graph, op).shape[3]
    pixels = first_input(graph, op).elements // depth
    sums = _sums(graph, op, target, patch_order(1, depth), deep=deep)
    blocks = choose_blocks(pixels, sums.words, pixels * (depth + channels), target)
    tail = choose_tail(pixels, sums.part_words, target)
    staged = 3 * channels if pixels % 3 and not tail else 0
    ints = {"pixels": pixels, "depth": depth, "channels": channels, **sums.ints()}
    ints |= {"blocks": blocks, "tail": tail, "out_pitch": channels}
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *sums.product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_pointwise_deep_dsp" if deep else "tml_pointwise_dsp", header=_HEADER,
        inputs=op.inputs[:1], args=args, consts=(sums.weights,),
        scratch_bytes=12 * sums.words + max(12 * sums.words * (blocks - 1), staged),
        in_place=((0, 0),) if channels <= depth else (),
    )  # fmt: skip
    return replace(step, reason=_reasons(sums.reason, blocks))


def build_deep_pointwise(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_pointwise_deep_dsp``."""
    return build_pointwise(graph, op, target, deep=True)


def build_few_pixels(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_fully_connected_dsp`` with one row a pixel."""
    return fully_connected.build_rows(graph, op, target, op_layer(graph, op, fours_of))


def build_general(graph: Graph, op: Op, target: Target, *, deep: bool = False) -> Step:
    """The step of ``tml_conv2d_dsp``."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    _, kernel_h, kernel_w, depth = constant(graph, op, 1).shape
    channels, patch, out_pixels = output.shape[3], kernel_h * kernel_w * depth, output.shape[1] * output.shape[2]
    sums = _sums(graph, op, target, patch_order(kernel_h, kernel_w * depth), deep=deep)
    copied = 0 if depth % 4 == 0 else -(-patch // 4) * 4
    speedy = target.optimize is Optimize.SPEED
    blocks = choose_blocks(out_pixels, sums.words, x.size_bytes + output.size_bytes, target) if speedy else 1
    tail = choose_tail(out_pixels, sums.part_words, target)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "depth": depth, "kernel_h": kernel_h, "kernel_w": kernel_w,
        "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "dilation_h": attrs.dilation_h, "dilation_w": attrs.dilation_w,
        "pad_top": attrs.pad_top, "pad_left": attrs.pad_left,
        "out_h": output.shape[1], "out_w": output.shape[2], "channels": channels,
        **sums.ints(), "blocks": blocks, "tail": tail,
        "out_pitch": channels,
        "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *sums.product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_conv2d_deep_dsp" if deep else "tml_conv2d_dsp", header=_HEADER,
        inputs=op.inputs[:1], args=args, consts=(sums.weights,),
        scratch_bytes=12 * sums.words * blocks + 3 * max(copied, channels if out_pixels % 3 and not tail else 0),
    )  # fmt: skip
    refusal = winograd.refusal(graph, op) if speedy and not deep else ""
    return replace(step, reason=_reasons(sums.reason, blocks, refusal))


def build_deep_general(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_conv2d_deep_dsp``."""
    return build_general(graph, op, target, deep=True)


def _reasons(loop: str, blocks: int, other: str = "") -> str:
    again = f"{blocks} blocks a stream of weights, which the data cache holds" if blocks > 1 else ""
    return "; ".join(part for part in (loop, again, other) if part)
