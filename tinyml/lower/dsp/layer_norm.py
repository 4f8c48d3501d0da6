"""LAYER_NORM on ``tml_layer_norm_dsp``: TFLite's roundings in SMMLAR, SUB as one linear function where there is one."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.dsp.binary import linear
from tinyml.lower.dsp.broadcast import TOO_FAR, scaled_in_words
from tinyml.lower.dsp.requant import two_steps
from tinyml.lower.linear_sum import Linear, Sum
from tinyml.lower.ops import layer_norm
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unproven

_INT8 = Range(-128, 127)
_SAME = (
    "rows", "depth", "has_mean", "has_gain", "has_offset", "in_zero_point", "mean_multiplier", "mean_shift",
    "mean_zero_point", "a_multiplier", "a_shift", "b_multiplier", "b_shift", "deviation_zero_point",
    "gain_zero_point", "gained_zero_point", "gained_multiplier", "gained_shift",
)  # fmt: skip


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Operands of SUB and ADD that are scaled by no less than 2^-30."""
    numbers = layer_norm.numbers(graph, op)
    scaled = ["a"] * numbers["has_mean"] + ["gained"] * numbers["has_offset"]
    near = all(scaled_in_words(numbers[f"{which}_multiplier"], numbers[f"{which}_shift"]) for which in scaled)
    return APPLIES if near else unproven(TOO_FAR)


def difference(numbers: dict[str, int]) -> Linear | None:
    """One linear function of element and mean that equals SUB's three roundings for all pairs of them."""
    return linear(
        Sum(
            numbers["in_zero_point"], numbers["mean_zero_point"], numbers["deviation_zero_point"],
            _INT8.low, _INT8.high, (numbers["a_multiplier"], numbers["a_shift"]),
            (numbers["b_multiplier"], numbers["b_shift"]),
            (numbers["difference_multiplier"], numbers["difference_shift"]), -1,
        )
    )  # fmt: skip


def words(numbers: dict[str, int], line: Linear | None, *names: str) -> dict[str, int]:
    """SUB as ``line``, and how the results of the ops ``names`` are requantised; 0 for what is not there."""
    found = {"is_linear": int(line is not None)}
    found |= dict(zip(("mul_a", "mul_b", "constant", "linear_shift"), astuple(line or Linear(0, 0, 0, 1)), strict=True))
    for name in names:
        scales = np.array([[numbers[f"{name}_multiplier"], numbers[f"{name}_shift"]]], np.int64)
        steps = two_steps(scales, Rounding.DOUBLE, 0, _INT8)
        found |= {
            f"{name}_mul": int(steps.mul[0]),
            f"{name}_par": int(steps.par[0]),
            f"{name}_rounding": int(steps.form),
        }
    return found


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step, in place over its input."""
    numbers = layer_norm.numbers(graph, op)
    line = difference(numbers) if numbers["has_mean"] else None
    ints = {name: numbers[name] for name in _SAME} | words(numbers, line, "difference", "gain", "out")
    return layer_norm.build_on(
        graph, op, "tml_layer_norm_dsp", "tml_layer_norm_dsp.h", ints | {"out_zero_point": numbers["out_zero_point"]}
    )
