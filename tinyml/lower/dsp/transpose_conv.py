"""TRANSPOSE_CONV on ``tml_transpose_conv_dsp``."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.dsp.gemm import choose_loop, padded_order, patch_order, why_not
from tinyml.lower.dsp.grouped import pack, pairs_of_groups, row_tail
from tinyml.lower.dsp.requant import Layer, layer
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.upsampling import Upsampling, uncut, upsampling
from tinyml.lower.program import Arg, ConstRef, In, Int, Out, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, proven, unfit


def _layer(found: Upsampling) -> Layer:
    """The matrix product: channels in twos within a row of outputs, a single one alone."""
    rows = None if found.channels == 1 else pairs_of_groups(found.channels)(len(found.product.weights))
    return layer(*found.product, rows=rows)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Rows of a multiple of the stride, and weights that pack in twos (or one output channel a row)."""
    cause = uncut(graph, op)
    if cause:
        return unfit(cause)
    found = upsampling(graph, op)
    return APPLIES if found.channels == 1 else proven(why_not(_layer(found)))


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step."""
    x, output = first_input(graph, op), first_output(graph, op)
    found, in_c = upsampling(graph, op), x.shape[3]
    product = _layer(found)
    order = patch_order(found.window_h, found.window_w * in_c)
    loop = choose_loop((len(order) + 1) // 2, target)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "in_c": in_c, "window_h": found.window_h,
        "window_w": found.window_w, "pad_top": found.pad_top, "pad_left": found.pad_left, "stride_h": found.stride_h,
        "out_h": output.shape[1], "pixels": found.pixels, "channels": found.channels, "words": loop.words,
        "unroll": loop.unroll, "tail": row_tail(found.pixels, loop.words, target), "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(), *(Int(k, v) for k, v in ints.items()), *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_transpose_conv_dsp", header="tml_transpose_conv_dsp.h", inputs=op.inputs[:1], args=args,
        consts=(pack(product, padded_order(order, loop.words), found.channels),),
        scratch_bytes=12 * loop.words + found.window_h * found.columns * in_c,
    )  # fmt: skip
    return replace(step, reason=loop.reason)
