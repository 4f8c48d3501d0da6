"""BATCH_MATMUL on ``tml_batch_matmul_dsp`` and ATTENTION on ``tml_attention_dsp``: four rows by two columns."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import AttentionAttrs, BatchMatMulAttrs
from tinyml.graph.quantisation import Range
from tinyml.lower.dsp.requant import Requant, two_steps
from tinyml.lower.ops import attention, batch_matmul
from tinyml.lower.program import Arg, Int, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit

_INT8 = Range(-128, 127)
_MOST_COLUMNS, _LEAST_DEPTH, _MOST_DEPTH = 2047, 4, 4092
"""Bounds of the offsets in the kernel's instructions, and of what overlaps in the last four of a row."""
_MOST_KEYS = 511


def _requant(multiplier: int, shift: int, zero_point: int) -> Requant:
    """How all sums of a product become outputs."""
    return two_steps(np.array([[multiplier, shift]], np.int64), Rounding.DOUBLE, zero_point, _INT8)


def _wide_bytes(depth: int, in_fours: bool) -> int:
    """Four rows of ``depth`` as int16, filled up to whole words or pairs of them."""
    return 32 * -(-depth // 4) if in_fours else 16 * -(-depth // 2)


def _product_fits(depth: int, columns: int, by_row: bool) -> Verdict:
    if columns < 2:
        return unfit("a single column")
    if by_row and not _LEAST_DEPTH <= depth <= _MOST_DEPTH:
        return unfit(f"rows of {depth}, the kernel takes {_LEAST_DEPTH} to {_MOST_DEPTH}")
    if not by_row and columns > _MOST_COLUMNS:
        return unfit(f"{columns} columns, the kernel takes {_MOST_COLUMNS}")
    return APPLIES


def batch_matmul_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """At least two columns, at most 2047; where the second matrix lies by columns, a depth of 4 to 4092 instead."""
    sizes = batch_matmul.product(graph, op)
    return _product_fits(sizes.depth, sizes.columns, cast(BatchMatMulAttrs, op.attrs).adj_y)


def build_batch_matmul(graph: Graph, op: Op, target: Target) -> Step:
    """The step of BATCH_MATMUL: the portable one's, requantised as the instruction set does it."""
    step = batch_matmul.build(graph, op, target)
    ints = _ints(step)
    requant = _requant(ints["multiplier"], ints["shift"], ints["out_zero_point"])
    kept = [a for a in step.args if not (isinstance(a, Int) and a.name in ("multiplier", "shift", "out_zero_point"))]
    args: tuple[Arg, ...] = (*kept, *_words(requant, ""), *requant.ints())
    return replace(
        step, kernel="tml_batch_matmul_dsp", header="tml_matmul_dsp.h", args=args,
        scratch_bytes=_wide_bytes(ints["depth"], bool(ints["adj_y"])),
    )  # fmt: skip


def attention_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """From 2 to 511 keys and values of 2 to 2047; where keys lie by rows, these are 4 to 4092 long."""
    query, _, value = (graph.tensor(i) for i in op.inputs)
    count, size = value.shape[-2:]
    if count > _MOST_KEYS:
        return unfit(f"{count} keys, the kernel takes {_MOST_KEYS}")
    by_row = cast(AttentionAttrs, op.attrs).keys_by_row
    return _product_fits(query.shape[-1], count, by_row) and _product_fits(count, size, False)


def build_attention(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ATTENTION: the portable one's, requantised as the instruction set does it."""
    step = attention.build(graph, op, target)
    ints = _ints(step)
    scores = _requant(ints["score_multiplier"], ints["score_shift"], ints["score_zero_point"])
    outputs = _requant(ints["out_multiplier"], ints["out_shift"], ints["out_zero_point"])
    wide_bytes = max(_wide_bytes(ints["depth"], bool(ints["keys_by_row"])), _wide_bytes(ints["count"], False))
    kept = ("batches", "rows", "depth", "count", "size", "keys_by_row", "has_table", "entries")
    zeros = ("query_zero_point", "key_zero_point", "value_zero_point")
    args: tuple[Arg, ...] = (
        *(a for a in step.args if not isinstance(a, Int)), *(Int(name, ints[name]) for name in kept),
        Int("wide_bytes", wide_bytes), *(Int(name, ints[name]) for name in zeros),
        *_words(scores, "score_"), *scores.ints()[:2], *_words(outputs, "out_"), *outputs.ints()[:2],
    )  # fmt: skip
    return replace(
        step, kernel="tml_attention_dsp", header="tml_attention_dsp.h", args=args,
        scratch_bytes=wide_bytes + 4 * ints["count"],
    )  # fmt: skip


def _ints(step: Step) -> dict[str, int]:
    return {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}


def _words(requant: Requant, prefix: str) -> tuple[Int, Int]:
    return Int(f"{prefix}mul", int(requant.mul[0])), Int(f"{prefix}par", int(requant.par[0]))
