"""ATTENTION on ``tml_attention``."""

from __future__ import annotations

from math import prod
from typing import cast

import numpy as np

from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import AttentionAttrs
from tinyml.lower.ops.common import first_output, make_step
from tinyml.lower.ops.softmax import exponentials
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Scratch, Step, Target

WEIGHT_SCALE = 1 / 256
"""Of SOFTMAX's output."""


def _multiplier(a: float, b: float, output: float) -> tuple[int, int]:
    return quantize_multiplier(float(np.float32(a) * np.float32(b)) / output)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step."""
    attrs = cast(AttentionAttrs, op.attrs)
    query, key, value = (graph.tensor(i) for i in op.inputs)
    output = first_output(graph, op)
    count, size = value.shape[-2:]
    table = exponentials(attrs.logit_scale, attrs.beta)
    score_multiplier, score_shift = _multiplier(query.scale, key.scale, attrs.score_scale)
    out_multiplier, out_shift = _multiplier(WEIGHT_SCALE, value.scale, output.scale)
    by_pattern = np.array((attrs.table[128:] + attrs.table[:128]) or (0,), np.int8).view(np.uint8)
    consts = (
        Const("exponentials", np.array(table, np.int32), Role.TABLE),
        Const("table", by_pattern, Role.TABLE, align_bytes=1),
    )
    ints = {
        "batches": prod(query.shape[:-2]), "rows": query.shape[-2], "depth": query.shape[-1],
        "count": count, "size": size,
        "keys_by_row": int(attrs.keys_by_row), "has_table": int(bool(attrs.table)), "entries": len(table),
        "query_zero_point": query.zero_point, "key_zero_point": key.zero_point, "value_zero_point": value.zero_point,
        "score_zero_point": attrs.score_zero_point, "out_zero_point": output.zero_point,
        "score_multiplier": score_multiplier, "score_shift": score_shift,
        "out_multiplier": out_multiplier, "out_shift": out_shift,
    }  # fmt: skip
    inputs = tuple(dict.fromkeys(op.inputs))
    args: tuple[Arg, ...] = (
        *(In(inputs.index(t)) for t in op.inputs), Out(0), Scratch(), ConstRef(0), ConstRef(1),
        *(Int(name, value) for name, value in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_attention", header="tml_attention.h", inputs=inputs, args=args, consts=consts,
        scratch_bytes=4 * max(count, size) + count,
    )  # fmt: skip
