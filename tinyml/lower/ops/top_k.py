"""TOPK_V2, on the kernels of ``tml_top_k.h``. Source: TFLite ``kernels/topk_v2.cc``."""

from __future__ import annotations

from math import prod
from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import TopKAttrs
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.program import In, Int, Out, Step, Target


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The largest elements of every row, or where they are."""
    x, output = first_input(graph, op), first_output(graph, op)
    kernel = "tml_top_k_where" if cast(TopKAttrs, op.attrs).positions else "tml_top_k"
    return make_step(
        graph,
        op,
        kernel=f"{kernel}_{x.dtype.value}",
        header="tml_top_k.h",
        inputs=op.inputs,
        args=(
            In(0),
            Out(0),
            Int("rows", prod(x.shape[:-1])),
            Int("axis", x.shape[-1]),
            Int("k", output.shape[-1]),
        ),
    )
