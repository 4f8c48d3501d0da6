"""ADD, SUB and MUL of any broadcast on ``tml_broadcast_mve.h``: the portable steps with vectors in their place."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops import binary
from tinyml.lower.program import Int, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit, unproven

_HEADER = "tml_broadcast_mve.h"
_LANES = 4


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """At least four elements in the innermost loop, and an effective scale below one."""
    innermost = binary.padded_loops(graph, op).sizes[-1]
    if innermost < _LANES:
        return unfit(f"at least {_LANES} elements in the innermost loop, here {innermost}")
    shift = binary.product_multiplier(graph, op)[1] if op.kind == "MUL" else 0
    return APPLIES if -31 <= shift <= 0 else unproven(f"an effective scale below one, here a shift of {shift}")


def build_mul(graph: Graph, op: Op, target: Target) -> Step:
    """The step of MUL."""
    return replace(binary.build_mul(graph, op, target), kernel="tml_broadcast_mul_mve", header=_HEADER)


def build_sum(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ADD or SUB."""
    step = binary.build_add(graph, op, target)
    sign = Int("sign", -1 if op.kind == "SUB" else 1)
    return replace(step, kernel="tml_broadcast_sum_mve", header=_HEADER, args=(*step.args, sign))
