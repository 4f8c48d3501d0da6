"""ADD and SUB of equal shapes on ``tml_linear_sum_v6m``: one linear function, proven on every pair of operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from tinyml.graph.ir import Graph, Op
from tinyml.lower.linear_sum import (
    Arithmetic,
    Ints64,
    Linear,
    Sum,
    build_sum,
    describe,
    find_linear,
    sums,
    two_activations,
)
from tinyml.lower.program import Isa, Step, Target
from tinyml.lower.verdict import Verdict

_LEAST_SHIFT, _MOST_SHIFT, _TRIED = 8, 22, 2
_NUDGES = 3
_INT32 = 2**31
_ABOVE = 128
"""ARMv6-M clamps to 0..255 and subtracts afterwards."""


def _shifts(factor_a: float, factor_b: float) -> Sequence[int]:
    """The two largest; the sum may be a few hundred levels beyond the outputs, and what leaves int32 is refused."""
    span = (abs(factor_a) + abs(factor_b)) * 255
    return [s for s in range(_LEAST_SHIFT, _MOST_SHIFT + 1) if span * 2**s < _INT32][: -_TRIED - 1 : -1]


def _product(multiplier: int, operand: Ints64) -> Ints64:
    return multiplier * operand


def _fits(found: Linear, of_a: Ints64, of_b: Ints64) -> bool:
    margin = _ABOVE << found.shift
    return all(-_INT32 + margin <= end < _INT32 - margin for end in (found.offset, *sums(found, of_a, of_b)))


ARITHMETIC = Arithmetic(_shifts, _product, _fits, _NUDGES, above=_ABOVE)


@lru_cache(maxsize=256)
def linear(numbers: Sum) -> Linear | None:
    """Integers for which ``(mul_a * a + mul_b * b + offset) >> shift`` is TFLite's sum plus 128; None without them."""
    return find_linear(numbers, ARITHMETIC)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Two activations of the output's shape, and a linear function that is exact for every pair of operands."""
    return two_activations(graph, op, linear)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ADD or SUB, in place over either operand."""
    found = linear(describe(graph, op))
    assert found is not None
    if target.isa is Isa.V7M:
        found = replace(found, offset=found.offset - (_ABOVE << found.shift))
    return build_sum(graph, op, found, kernel="tml_linear_sum_v6m", header="tml_binary_v6m.h")
