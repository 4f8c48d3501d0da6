"""Ops that move single bytes, on ``tml_move_dsp`` and ``tml_move_tables_dsp``."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import GatherAttrs, ViewAttrs
from tinyml.graph.ops.move import moved
from tinyml.lower.ops import move
from tinyml.lower.ops.common import first_input
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit

_KERNELS = {"tml_move": "tml_move_dsp", "tml_move_tables": "tml_move_tables_dsp"}


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Single bytes from places that are known and do not follow one another."""
    if isinstance(op.attrs, GatherAttrs) or first_input(graph, op).dtype.size_bytes != 1:
        return unfit("single bytes from places that are known")
    attrs = moved(op.attrs)
    apart = attrs.strides[-1] != 1 if isinstance(attrs, ViewAttrs) else move.table_runs(attrs)[1] == 1
    return APPLIES if apart else unfit("single bytes, here runs")


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step, the portable one on another kernel."""
    step = move.build(graph, op, target)
    return replace(step, kernel=_KERNELS[step.kernel], header="tml_move_dsp.h")
