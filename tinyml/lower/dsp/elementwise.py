"""Functions of one 8-bit value on ``tml_lookup_dsp``, or on the portable clamp where that is all they are."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops import elementwise
from tinyml.lower.program import Step, Target


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of any function of one 8-bit value; each is correct in place."""
    step = elementwise.build(graph, op, target)
    if step.kernel != "tml_lookup":
        return step
    return replace(step, kernel="tml_lookup_dsp", header="tml_elementwise_dsp.h")
