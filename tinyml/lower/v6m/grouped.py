"""CONV_2D of several groups on ``tml_grouped_pointwise_v6m`` and ``tml_grouped_conv2d_v6m``.

The latter also runs DEPTHWISE_CONV_2D where no kernel of its own can, with a group for every channel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs
from tinyml.lower.ops.as_groups import applies_as_groups, build_as_groups
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.conv_2d import is_pointwise
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target
from tinyml.lower.v6m.conv_2d import op_layer
from tinyml.lower.v6m.gemm import MOST_PARTS, filled, pack, place, unpacks, why_too_large
from tinyml.lower.v6m.lines import Ints64
from tinyml.lower.v6m.requant import explain
from tinyml.lower.verdict import Verdict, proven, unfit

_HEADER = "tml_grouped_conv2d_v6m.h"


def parts_of_groups(weights: Ints64, channels: int) -> int | None:
    """Into how many parts K is cut so that the sums of every group unpack; None where even many do not help."""
    groups = [weights[first : first + channels] for first in range(0, len(weights), channels)]
    counts = range(1, min(MOST_PARTS, weights.shape[1]) + 1)
    return next((parts for parts in counts if all(unpacks(group, parts) for group in groups)), None)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several groups; any kernel, stride, dilation and padding, and weights whose sums unpack in at most 64 parts."""
    groups = cast(Conv2DAttrs, op.attrs).groups
    if groups == 1:
        return unfit("several groups, here one")
    weights = op_layer(graph, op, target).weights
    return proven(why_too_large(weights) if parts_of_groups(weights, len(weights) // groups) is None else None)


def depthwise_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several channels, and weights whose sums unpack in at most 64 parts."""
    return applies_as_groups(graph, op, target, applies)


def build_depthwise(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_conv2d_v6m`` for DEPTHWISE_CONV_2D."""
    return build_as_groups(graph, op, target, build)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step: pointwise, or any other form."""
    attrs = cast(Conv2DAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    out_c, kernel_h, kernel_w, group_c = constant(graph, op, 1).shape
    channels, out_w = out_c // attrs.groups, output.shape[2]
    product = op_layer(graph, op, target)
    parts = parts_of_groups(product.weights, channels)
    assert parts is not None
    weights = filled(product.weights, parts)
    depth = weights.shape[1]
    where = place(graph, op, target, channels, depth)
    streams = [pack(weights[first : first + channels], where.in_bytes).data for first in range(0, out_c, channels)]
    pointwise = is_pointwise(graph, op)
    ints: dict[str, int] = {"pixels": x.shape[1] * x.shape[2], "group_c": group_c}
    band_bytes = 0
    if not pointwise:
        columns = (out_w - 1) * attrs.stride_w + (kernel_w - 1) * attrs.dilation_w + 1
        band_bytes = kernel_h * columns * group_c
        ints = {
            "height": x.shape[1], "width": x.shape[2], "group_c": group_c, "groups": attrs.groups,
            "kernel_h": kernel_h, "kernel_w": kernel_w, "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
            "dilation_h": attrs.dilation_h, "dilation_w": attrs.dilation_w,
            "pad_top": attrs.pad_top, "pad_left": attrs.pad_left, "out_h": output.shape[1], "out_w": out_w,
        }  # fmt: skip
    ints |= {"channels": channels}
    ints |= {"groups": attrs.groups} if pointwise else {}
    ints |= {"depth": depth, "parts": parts, "bytes": int(where.in_bytes), "out_pitch": out_c}
    ints |= {} if pointwise else {"in_zero_point": x.zero_point}
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(), *(Int(k, v) for k, v in ints.items()),
        *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_grouped_pointwise_v6m" if pointwise else "tml_grouped_conv2d_v6m", header=_HEADER,
        inputs=op.inputs[:1], args=args,
        consts=(Const("weights", np.concatenate(streams), Role.WEIGHTS), product.requant.const),
        scratch_bytes=12 * depth + where.scratch_bytes + 3 * channels + band_bytes,
    )  # fmt: skip
    cut = [f"sums in {parts} parts"] if parts > 1 else []
    return replace(step, reason="; ".join([*cut, explain(product.requant), where.reason]))
