"""RESIZE_BILINEAR on ``tml_resize_bilinear``.

Source: TFLite ``kernels/internal/reference/resize_bilinear.h``.
"""

from __future__ import annotations

from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import ResizeBilinearAttrs
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.program import In, Int, Out, Step, Target


def step_q10(size_in: int, size_out: int, align_corners: bool) -> int:
    """Input rows (columns) from one output to the next, Q10, to nearest."""
    if align_corners and size_out > 1:
        size_in, size_out = size_in - 1, size_out - 1
    return ((1 << 10) * size_in + size_out // 2) // size_out


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step."""
    attrs = cast(ResizeBilinearAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    ints = {
        "in_h": x.shape[1], "in_w": x.shape[2], "channels": x.shape[3],
        "out_h": output.shape[1], "out_w": output.shape[2],
        "scale_h": step_q10(x.shape[1], output.shape[1], attrs.align_corners),
        "scale_w": step_q10(x.shape[2], output.shape[2], attrs.align_corners),
        "half_pixel_centers": int(attrs.half_pixel_centers),
    }  # fmt: skip
    return make_step(
        graph, op, kernel="tml_resize_bilinear", header="tml_resize_bilinear.h", inputs=op.inputs[:1],
        args=(In(0), Out(0), *(Int(name, value) for name, value in ints.items())),
    )  # fmt: skip
