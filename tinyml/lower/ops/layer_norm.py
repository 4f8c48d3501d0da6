"""LAYER_NORM on ``tml_layer_norm``."""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.fixed_point import high_mul, rounding_shift
from tinyml.graph.ir import ABSENT, Graph, Op
from tinyml.graph.ops import LayerNormAttrs, WholeNormAttrs
from tinyml.graph.ops.layer_norm import NORMED
from tinyml.lower.ops.binary import multiplier_of_product, multipliers_of_sum
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.reduce import mean_multiplier
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Step, Target


def has_input(op: Op, index: int) -> bool:
    """Whether gain (1) or offset (2) are there."""
    return len(op.inputs) > index and op.inputs[index] != ABSENT


def numbers(graph: Graph, op: Op) -> dict[str, int]:
    """The kernel's numbers by name, in its order; 0 where an op of the chain is not there."""
    attrs = cast(LayerNormAttrs, op.attrs)
    x, y = first_input(graph, op), first_output(graph, op)
    deviation, multiplied = attrs.deviation or x.quant, attrs.gained or y.quant
    assert deviation is not None and multiplied is not None
    before, gain, behind = (0, 0, 0), (0, 0), (0, 0, 0, 0)
    difference = dict.fromkeys(_SUM, 0)
    gain_zero_point = 0
    if attrs.mean is not None:
        before = (*mean_multiplier(x.scale, attrs.mean.scale, x.shape[-1]), attrs.mean.zero_point)
        difference = multipliers_of_sum(x.scale, attrs.mean.scale, deviation.scale)
    if has_input(op, 1):
        tensor = graph.tensor(op.inputs[1])
        gain_zero_point = tensor.zero_point
        gain = multiplier_of_product(NORMED.scale, tensor.scale, multiplied.scale)
    if has_input(op, 2):
        total = multipliers_of_sum(multiplied.scale, graph.tensor(op.inputs[2]).scale, y.scale)
        behind = (total["a_multiplier"], total["a_shift"], total["out_multiplier"], total["out_shift"])
    return {
        "rows": x.elements // x.shape[-1], "depth": x.shape[-1], "has_mean": int(attrs.mean is not None),
        "has_gain": int(has_input(op, 1)), "has_offset": int(has_input(op, 2)), "in_zero_point": x.zero_point,
        "mean_multiplier": before[0], "mean_shift": before[1], "mean_zero_point": before[2],
        "a_multiplier": difference["a_multiplier"], "a_shift": difference["a_shift"],
        "b_multiplier": difference["b_multiplier"], "b_shift": difference["b_shift"],
        "difference_multiplier": difference["out_multiplier"], "difference_shift": difference["out_shift"],
        "deviation_zero_point": deviation.zero_point, "gain_zero_point": gain_zero_point,
        "gain_multiplier": gain[0], "gain_shift": gain[1], "gained_zero_point": multiplied.zero_point,
        "gained_multiplier": behind[0], "gained_shift": behind[1], "out_multiplier": behind[2],
        "out_shift": behind[3], "out_zero_point": y.zero_point,
    }  # fmt: skip


_SUM = ("a_multiplier", "a_shift", "b_multiplier", "b_shift", "out_multiplier", "out_shift")


def scaled_offset(graph: Graph, op: Op) -> Const:
    """ADD's constant operand as ``tml_sum_operand`` scales it, int32 [C]; a single 0 where there is none."""
    if not has_input(op, 2):
        return Const("offset", np.zeros(1, np.int32), Role.BIAS)
    tensor, attrs = graph.tensor(op.inputs[2]), cast(LayerNormAttrs | WholeNormAttrs, op.attrs)
    assert attrs.gained is not None
    total = multipliers_of_sum(attrs.gained.scale, tensor.scale, first_output(graph, op).scale)
    values = [int(v) - tensor.zero_point for v in constant(graph, op, 2).ravel()]
    scaled = [rounding_shift(high_mul(v << 20, total["b_multiplier"]), -total["b_shift"]) for v in values]
    return Const("offset", np.array(scaled, np.int32), Role.BIAS)


def build_on(graph: Graph, op: Op, kernel: str, header: str, ints: dict[str, int]) -> Step:
    """The step of a kernel that takes gain and offset and then ``ints``; a row is summed before it is written."""
    gain = constant(graph, op, 1).ravel() if has_input(op, 1) else np.zeros(1, np.int8)
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), *(Int(name, value) for name, value in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel=kernel, header=header, inputs=op.inputs[:1], in_place=((0, 0),), args=args,
        consts=(Const("gain", gain, Role.WEIGHTS), scaled_offset(graph, op)),
    )  # fmt: skip


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step."""
    return build_on(graph, op, "tml_layer_norm", "tml_layer_norm.h", numbers(graph, op))
