"""MUL on ``tml_mul_dsp``, ADD and SUB on ``tml_sum_dsp``, with NumPy's broadcasting and TFLite's own roundings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.dsp.requant import Ints64, Requant, twice, two_steps
from tinyml.lower.ops import binary
from tinyml.lower.program import Arg, Int, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unproven

_LEAST_SHIFT = -30
TOO_FAR = "an operand of a sum is scaled by less than 2^-30 of the larger one"
_REPLACED = {
    "out_zero_point", "out_min", "out_max", "a_multiplier", "a_shift", "b_multiplier", "b_shift", "out_multiplier",
    "out_shift",
}  # fmt: skip


def wrapped(value: int) -> int:
    """``value`` modulo 2^32 as int32."""
    return (value + 2**31) % 2**32 - 2**31


def _on(step: Step, kernel: str, operands: dict[str, int]) -> Step:
    """The portable step on a kernel that takes ``operands`` and then how its results are requantised."""
    found = two_steps(_scales(step), Rounding.DOUBLE, *_ends(step))
    return _with(step, kernel, operands, found)


def _numbers(step: Step) -> dict[str, int]:
    return {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}


def _scales(step: Step) -> Ints64:
    ints = _numbers(step)
    return np.array([[ints["out_multiplier"], ints["out_shift"]]], np.int64)


def _ends(step: Step) -> tuple[int, Range]:
    ints = _numbers(step)
    return ints["out_zero_point"], Range(ints["out_min"], ints["out_max"])


def _with(step: Step, kernel: str, operands: dict[str, int], found: Requant) -> Step:
    words = operands | {"mul": int(found.mul[0]), "par": int(found.par[0])}
    kept = tuple(arg for arg in step.args if not (isinstance(arg, Int) and arg.name in _REPLACED))
    args: tuple[Arg, ...] = (*kept, *(Int(name, value) for name, value in words.items()), *found.ints())
    return replace(step, kernel=kernel, header="tml_broadcast_dsp.h", args=args)


def scaled_in_words(multiplier: int, shift: int) -> bool:
    """Whether SMMLAR scales an operand so: by a multiplier of 2^30 or more and a shift that a word holds."""
    return multiplier >= 1 << 30 and shift >= _LEAST_SHIFT


def build_mul(graph: Graph, op: Op, target: Target) -> Step:
    """The step of MUL, in place over an operand of the output's shape."""
    step = binary.build_mul(graph, op, target)
    found, unit = twice(_scales(step), *_ends(step))
    return _with(step, "tml_mul_dsp", {"unit": unit}, found)


def sum_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Operands of ADD or SUB that are scaled by no less than 2^-30."""
    found = binary.sum_multipliers(graph, op)
    near = all(scaled_in_words(found[f"{which}_multiplier"], found[f"{which}_shift"]) for which in "ab")
    return APPLIES if near else unproven(TOO_FAR)


def build_sum(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ADD or SUB, in place over an operand of the output's shape."""
    found = binary.sum_multipliers(graph, op)
    operands = {
        "a_mul": wrapped(2 * found["a_multiplier"]), "a_shift": found["a_shift"],
        "b_mul": wrapped(2 * found["b_multiplier"]), "b_shift": found["b_shift"],
        "sign": -1 if op.kind == "SUB" else 1,
    }  # fmt: skip
    return _on(binary.build_add(graph, op, target), "tml_sum_dsp", operands)
