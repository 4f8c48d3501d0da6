"""Functions of one 8-bit value on ``tml_elementwise_mve.h``: the portable steps with vectors in their place."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops import elementwise
from tinyml.lower.program import Step, Target

_KERNELS = {"tml_clamp": "tml_clamp_values_mve", "tml_lookup": "tml_lookup_mve"}


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of any function of one 8-bit value; each is correct in place."""
    step = elementwise.build(graph, op, target)
    return replace(step, kernel=_KERNELS[step.kernel], header="tml_elementwise_mve.h")
