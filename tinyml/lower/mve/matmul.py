"""BATCH_MATMUL on ``tml_batch_matmul_mve`` and ATTENTION on ``tml_attention_mve``: row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import AttentionAttrs, BatchMatMulAttrs
from tinyml.lower.ops import attention, batch_matmul
from tinyml.lower.program import Const, Int, Role, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_LANES = 4
_MOST_DEPTH = 16_000
"""So that no sum of products of two 9-bit numbers leaves ±2^30."""
_MOST_KEYS = 511


def _fits(depth: int, columns: int, by_row: bool, shift: int) -> Verdict:
    if columns < _LANES and not by_row:
        return unfit(f"at least {_LANES} columns, here {columns}")
    if not -31 <= shift <= -1 or depth > _MOST_DEPTH:
        return unproven(
            f"a shift of {shift} after {depth} products, the vector forms hold for -31 to -1 and {_MOST_DEPTH}"
        )
    return APPLIES


def batch_matmul_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """At least four columns, or a second matrix that lies by columns; an effective scale below 1/2."""
    sizes, by_row = batch_matmul.product(graph, op), cast(BatchMatMulAttrs, op.attrs).adj_y
    return _fits(sizes.depth, sizes.columns, by_row, batch_matmul.multiplier(graph, op)[1])


def build_batch_matmul(graph: Graph, op: Op, target: Target) -> Step:
    """The step of BATCH_MATMUL."""
    step, sizes = batch_matmul.build(graph, op, target), batch_matmul.product(graph, op)
    attrs = cast(BatchMatMulAttrs, op.attrs)
    copied = sizes.depth if attrs.adj_x and attrs.adj_y else 0
    return replace(
        step, kernel="tml_batch_matmul_mve", header="tml_matmul_mve.h", scratch_bytes=4 * sizes.columns + copied
    )


def attention_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Values and keys in columns of at least four, at most 511 keys; effective scales below 1/2."""
    query, _, value = (graph.tensor(i) for i in op.inputs)
    count, size = value.shape[-2:]
    if count > _MOST_KEYS:
        return unfit(f"at most {_MOST_KEYS} keys, here {count}")
    ints = {arg.name: arg.value for arg in attention.build(graph, op, target).args if isinstance(arg, Int)}
    by_row = cast(AttentionAttrs, op.attrs).keys_by_row
    scores = _fits(query.shape[-1], count, by_row, ints["score_shift"])
    return scores and _fits(count, size, False, ints["out_shift"])


def build_attention(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ATTENTION: the portable one's, with a 0 behind the exponentials."""
    step = attention.build(graph, op, target)
    table = Const("exponentials", np.append(step.consts[0].data, np.int32(0)), Role.TABLE)
    return replace(
        step, kernel="tml_attention_mve", header="tml_matmul_mve.h", consts=(table, *step.consts[1:]),
    )  # fmt: skip
