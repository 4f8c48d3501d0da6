"""WHOLE_NORM on ``tml_whole_norm_dsp``: TFLite's roundings in SMMLAR, SUB as one linear function where there is one."""

from __future__ import annotations

from tinyml.graph.ir import Graph, Op
from tinyml.lower.dsp.broadcast import TOO_FAR, scaled_in_words
from tinyml.lower.dsp.layer_norm import difference, words
from tinyml.lower.ops import whole_norm
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unproven

_SAME = (
    "examples", "elements", "depth", "has_gain", "has_offset", "in_zero_point", "mean_multiplier", "mean_shift",
    "mean_zero_point", "a_multiplier", "a_shift", "b_multiplier", "b_shift", "deviation_zero_point",
    "square_zero_point", "variance_multiplier", "variance_shift", "variance_zero_point", "root_zero_point",
    "normed_zero_point", "gain_zero_point", "gained_zero_point", "gained_multiplier", "gained_shift",
)  # fmt: skip


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Operands of SUB and ADD that are scaled by no less than 2^-30."""
    numbers = whole_norm.numbers(graph, op)
    scaled = ["a", *["gained"] * numbers["has_offset"]]
    near = all(scaled_in_words(numbers[f"{which}_multiplier"], numbers[f"{which}_shift"]) for which in scaled)
    return APPLIES if near else unproven(TOO_FAR)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step, in place over its input."""
    numbers = whole_norm.numbers(graph, op)
    ints = {name: numbers[name] for name in _SAME}
    ints |= words(numbers, difference(numbers), "difference", "square", "normed", "gain", "out")
    return whole_norm.build_on(
        graph, op, "tml_whole_norm_dsp", "tml_whole_norm_dsp.h", ints | {"out_zero_point": numbers["out_zero_point"]}
    )
