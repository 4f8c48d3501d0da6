"""PAD and PADV2 on ``tml_pad``."""

from __future__ import annotations

from typing import cast

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import PadAttrs
from tinyml.lower.ops.common import first_input, make_step
from tinyml.lower.program import In, Int, Ints, Out, Step, Target

MAX_DIMS = 5


def merged_paddings(shape: tuple[int, ...], paddings: tuple[tuple[int, int], ...]) -> list[tuple[int, int, int]]:
    """(size, before, after) for the fewest dimensions: a dimension without padding joins its outer neighbour."""
    merged: list[tuple[int, int, int]] = []
    for size, (before, after) in zip(shape, paddings, strict=True):
        if merged and before == after == 0:
            merged[-1] = (merged[-1][0] * size, merged[-1][1] * size, merged[-1][2] * size)
        else:
            merged.append((size, before, after))
    return merged


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step. Raises UnsupportedError for more dimensions than the kernel pads."""
    attrs = cast(PadAttrs, op.attrs)
    x = first_input(graph, op)
    dims = merged_paddings(x.shape, attrs.paddings)
    if len(dims) > MAX_DIMS:
        raise UnsupportedError(
            f"{op.kind} ({op.name}) pads {len(dims)} dimensions and {MAX_DIMS} are supported",
            hint="pad in two steps",
        )
    dims = [(1, 0, 0)] * (MAX_DIMS - len(dims)) + dims
    return make_step(
        graph,
        op,
        kernel="tml_pad",
        header="tml_pad.h",
        inputs=op.inputs[:1],
        args=(
            In(0),
            Out(0),
            Ints("sizes", tuple(d[0] for d in dims)),
            Ints("before", tuple(d[1] for d in dims)),
            Ints("after", tuple(d[2] for d in dims)),
            Int("value", attrs.value),
        ),
    )
