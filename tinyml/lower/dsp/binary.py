"""ADD and SUB of equal shapes on ``tml_linear_sum_dsp``: one linear function, proven on every pair of operands."""

from __future__ import annotations

from collections.abc import Sequence
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
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import Verdict

_MOST_SHIFT = 24
_NUDGES = 3
_INT32 = 2**31


def _shifts(factor_a: float, factor_b: float) -> Sequence[int]:
    """The largest one for which the multipliers fit int32."""
    largest = (abs(factor_a) + abs(factor_b)) * 256 + 256
    fits = [s for s in range(1, _MOST_SHIFT + 1) if largest * 2**s < _INT32]
    return [s for s in fits if max(abs(factor_a), abs(factor_b)) * 2 ** (s + 8) < _INT32 - _NUDGES][-1:]


def _product(multiplier: int, operand: Ints64) -> Ints64:
    """What SMLAW makes of an operand in the upper byte of a halfword."""
    return multiplier * operand * 256 >> 16


def _fits(found: Linear, of_a: Ints64, of_b: Ints64) -> bool:
    first = found.offset + int(of_a.min()), found.offset + int(of_a.max())
    return all(-_INT32 <= end < _INT32 for end in (found.offset, *sums(found, of_a, of_b), *first))


ARITHMETIC = Arithmetic(_shifts, _product, _fits, _NUDGES, fraction_bits=8)


@lru_cache(maxsize=256)
def linear(numbers: Sum) -> Linear | None:
    """``(offset + (mul_a * 256 * a >> 16) + (mul_b * 256 * b >> 16)) >> shift`` that is exact; None without one."""
    return find_linear(numbers, ARITHMETIC)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Two activations of the output's shape, and a linear function that is exact for every pair of operands."""
    return two_activations(graph, op, linear)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ADD or SUB, in place over either operand."""
    found = linear(describe(graph, op))
    assert found is not None
    return build_sum(graph, op, found, kernel="tml_linear_sum_dsp", header="tml_binary_dsp.h")
