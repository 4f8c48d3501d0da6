"""TRANSPOSE_CONV on ``tml_transpose_conv_mve``."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.mve.conv_2d import choose_block
from tinyml.lower.mve.gemm import LANES, pack_fours, places, stream, vectors_of
from tinyml.lower.mve.product import Product, product
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.upsampling import uncut, upsampling
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Rows of a multiple of the stride and of at least two windows, and a vector form."""
    cause = uncut(graph, op)
    if cause:
        return unfit(cause)
    found = upsampling(graph, op)
    if found.pixels < 2 or found.channels + 4 > 0xFFFF:
        return unfit("rows of at least two windows, of outputs that a halfword spans")
    made = product(*found.product)
    return unproven(made) if isinstance(made, str) else APPLIES


def _pack(made: Product, channels: int) -> Const:
    """The streams of each row of outputs in turn."""
    rows = [slice(first, first + channels) for first in range(0, len(made.weights), channels)]
    parts = [
        replace(
            made, weights=made.weights[r], bias=made.bias[r], multiplier=made.multiplier[r], shift=made.shift[r]
        )
        for r in rows
    ]  # fmt: skip
    return stream([pack_fours(part).data for part in parts])


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step."""
    x, output = first_input(graph, op), first_output(graph, op)
    found, in_c = upsampling(graph, op), x.shape[3]
    made = product(*found.product)
    assert isinstance(made, Product)
    vectors = vectors_of(made.weights.shape[1])
    block = choose_block(found.pixels, LANES * vectors)
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "in_c": in_c, "window_h": found.window_h,
        "window_w": found.window_w, "pad_top": found.pad_top, "pad_left": found.pad_left, "stride_h": found.stride_h,
        "out_h": output.shape[1], "pixels": found.pixels, "channels": found.channels, "vectors": vectors,
        "block": block, "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(), *(Int(k, v) for k, v in ints.items()), *made.ints(),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_transpose_conv_mve", header="tml_transpose_conv_mve.h", inputs=op.inputs[:1], args=args,
        consts=(_pack(made, found.channels), places(found.channels, found.channels)),
        scratch_bytes=block * LANES * vectors + found.window_h * found.columns * in_c + 2 * LANES,
    )  # fmt: skip
