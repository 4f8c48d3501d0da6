"""WHOLE_NORM on ``tml_whole_norm_mve``."""

from __future__ import annotations

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops import whole_norm
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_LANES = 4


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Examples (and rows that have a gain) of a multiple of four elements, and effective scales below 1/2."""
    numbers = whole_norm.numbers(graph, op)
    run = numbers["depth"] if numbers["has_gain"] else numbers["elements"]
    if run % _LANES != 0:
        return unfit(f"elements in fours, here {run}")
    there = ["difference", "square", "normed", *["gain"] * numbers["has_gain"], *["out"] * numbers["has_offset"]]
    shifts = [numbers[f"{name}_shift"] for name in there]
    if all(-31 <= shift <= -1 for shift in shifts):
        return APPLIES
    return unproven(f"shifts of {shifts}, the vector forms hold for -31 to -1")


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step, in place over its input."""
    return whole_norm.build_on(graph, op, "tml_whole_norm_mve", "tml_whole_norm_mve.h", whole_norm.numbers(graph, op))
