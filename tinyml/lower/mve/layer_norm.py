"""LAYER_NORM on ``tml_layer_norm_mve``: the portable step with vectors of four elements in its place."""

from __future__ import annotations

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops import layer_norm
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Rows of a multiple of four elements, and every op of the chain with an effective scale below 1/2."""
    numbers = layer_norm.numbers(graph, op)
    if numbers["depth"] % 4 != 0:
        return unfit(f"elements in fours, here {numbers['depth']}")
    there = {"difference": "has_mean", "gain": "has_gain", "out": "has_offset"}
    shifts = [numbers[f"{name}_shift"] for name, flag in there.items() if numbers[flag]]
    if all(-31 <= shift <= -1 for shift in shifts):
        return APPLIES
    return unproven(f"shifts of {shifts}, the vector forms hold for -31 to -1")


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step, in place over its input."""
    return layer_norm.build_on(graph, op, "tml_layer_norm_mve", "tml_layer_norm_mve.h", layer_norm.numbers(graph, op))
