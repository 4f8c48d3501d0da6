"""CONCATENATION on ``tml_concatenate``: parts are copied, because TFLite demands one scale for all of them.

Most of them are written in place afterwards (:mod:`tinyml.lower.in_place_parts`).
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import ConcatenationAttrs
from tinyml.lower.ops.common import first_output, make_step
from tinyml.lower.ops.move import as_bytes
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Ints, Out, Pointers, Role, Step, Target


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step; parts may be constant."""
    axis = cast(ConcatenationAttrs, op.attrs).axis
    output = first_output(graph, op)
    inputs = tuple(dict.fromkeys(i for i in op.inputs if not graph.tensor(i).is_constant))
    consts: list[Const] = []
    items: list[In | ConstRef] = []
    for index in op.inputs:
        tensor = graph.tensor(index)
        if tensor.data is None:
            items.append(In(inputs.index(index)))
        else:
            items.append(ConstRef(len(consts)))
            consts.append(Const(f"part{len(consts)}", as_bytes(tensor.data), Role.WEIGHTS))
    part_bytes = tuple(prod(graph.tensor(i).shape[axis:]) * output.dtype.size_bytes for i in op.inputs)
    part_at = tuple(accumulate(part_bytes, initial=0))[:-1]
    args: tuple[Arg, ...] = (
        Pointers("parts", tuple(items)),
        Ints("part_bytes", part_bytes),
        Ints("part_at", part_at),
        Ints("part_pitch", part_bytes),
        Int("row_bytes", sum(part_bytes)),
        Int("parts", len(items)),
        Int("repeats", prod(output.shape[:axis])),
        Out(0),
    )
    return make_step(
        graph,
        op,
        kernel="tml_concatenate",
        header="tml_concatenate.h",
        inputs=inputs,
        args=args,
        consts=tuple(consts),
    )
