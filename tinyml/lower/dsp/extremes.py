"""MAXIMUM and MINIMUM of int8 on ``tml_maximum_dsp`` and ``tml_minimum_dsp``."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import DType, Graph, Op
from tinyml.lower.ops import logic
from tinyml.lower.ops.common import first_output
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Two operands of int8, both of the output's shape."""
    output = first_output(graph, op)
    alike = all(graph.tensor(i).elements == output.elements for i in op.inputs)
    return APPLIES if alike and output.dtype is DType.INT8 else unfit("two operands of int8 and of one shape")


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step, in place over either operand."""
    step = logic.build_of_two(graph, op, target)
    return replace(step, kernel=f"tml_{op.kind.lower()}_dsp", header="tml_extremes_dsp.h")
