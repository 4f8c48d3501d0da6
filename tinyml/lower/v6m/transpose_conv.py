"""TRANSPOSE_CONV on ``tml_transpose_conv_v6m``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.upsampling import uncut, upsampling
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.v6m.gemm import filled, pack, place, why_too_large
from tinyml.lower.v6m.grouped import parts_of_groups
from tinyml.lower.v6m.requant import explain, layer
from tinyml.lower.verdict import Verdict, proven, unfit


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Rows of a multiple of the stride, and weights whose sums unpack in at most 64 parts."""
    cause = uncut(graph, op)
    if cause:
        return unfit(cause)
    found = upsampling(graph, op)
    weights = layer(*found.product, target.isa).weights
    return proven(why_too_large(weights) if parts_of_groups(weights, found.channels) is None else None)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step."""
    x, output = first_input(graph, op), first_output(graph, op)
    found, in_c = upsampling(graph, op), x.shape[3]
    product, channels = layer(*found.product, target.isa), found.channels
    parts = parts_of_groups(product.weights, channels)
    assert parts is not None
    weights = filled(product.weights, parts)
    depth = weights.shape[1]
    where = place(graph, op, target, channels, depth)
    rows = [weights[first : first + channels] for first in range(0, len(weights), channels)]
    streams = np.concatenate([pack(row, where.in_bytes).data for row in rows])
    ints: dict[str, int] = {
        "height": x.shape[1], "width": x.shape[2], "in_c": in_c, "window_h": found.window_h,
        "window_w": found.window_w, "pad_top": found.pad_top, "pad_left": found.pad_left, "stride_h": found.stride_h,
        "out_h": output.shape[1], "pixels": found.pixels, "channels": channels, "depth": depth, "parts": parts,
        "bytes": int(where.in_bytes), "in_zero_point": x.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(), *(Int(k, v) for k, v in ints.items()),
        *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_transpose_conv_v6m", header="tml_transpose_conv_v6m.h", inputs=op.inputs[:1], args=args,
        consts=(Const("weights", streams, Role.WEIGHTS), product.requant.const),
        scratch_bytes=12 * depth + where.scratch_bytes + 3 * channels + found.window_h * found.columns * in_c,
    )  # fmt: skip
    cut = [f"sums in {parts} parts"] if parts > 1 else []
    return replace(step, reason="; ".join([*cut, explain(product.requant), where.reason]))
