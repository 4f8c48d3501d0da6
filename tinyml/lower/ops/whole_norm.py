"""WHOLE_NORM on ``tml_whole_norm``."""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import WholeNormAttrs
from tinyml.lower.ops.binary import multiplier_of_product, multipliers_of_sum
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.layer_norm import has_input, scaled_offset
from tinyml.lower.ops.reduce import mean_multiplier
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Step, Target


def numbers(graph: Graph, op: Op) -> dict[str, int]:
    """The kernel's numbers by name, in its order; 0 where an op of the chain is not there."""
    attrs = cast(WholeNormAttrs, op.attrs)
    x, y = first_input(graph, op), first_output(graph, op)
    assert y.quant is not None
    normed, gained = attrs.normed or y.quant, attrs.gained or y.quant
    mean = mean_multiplier(x.scale, attrs.mean.scale, attrs.elements)
    difference = multipliers_of_sum(x.scale, attrs.mean.scale, attrs.deviation.scale)
    square = multiplier_of_product(attrs.deviation.scale, attrs.deviation.scale, attrs.square.scale)
    variance = mean_multiplier(attrs.square.scale, attrs.variance.scale, attrs.elements)
    product = multiplier_of_product(attrs.deviation.scale, attrs.root.scale, normed.scale)
    gain, gain_zero_point, behind = (0, 0), 0, dict.fromkeys(_SUM, 0)
    if has_input(op, 1):
        tensor = graph.tensor(op.inputs[1])
        gain, gain_zero_point = multiplier_of_product(normed.scale, tensor.scale, gained.scale), tensor.zero_point
    if has_input(op, 2):
        behind = multipliers_of_sum(gained.scale, graph.tensor(op.inputs[2]).scale, y.scale)
    return {
        "examples": x.elements // attrs.elements, "elements": attrs.elements, "depth": x.shape[-1],
        "has_gain": int(has_input(op, 1)), "has_offset": int(has_input(op, 2)), "in_zero_point": x.zero_point,
        "mean_multiplier": mean[0], "mean_shift": mean[1], "mean_zero_point": attrs.mean.zero_point,
        "a_multiplier": difference["a_multiplier"], "a_shift": difference["a_shift"],
        "b_multiplier": difference["b_multiplier"], "b_shift": difference["b_shift"],
        "difference_multiplier": difference["out_multiplier"], "difference_shift": difference["out_shift"],
        "deviation_zero_point": attrs.deviation.zero_point, "square_multiplier": square[0], "square_shift": square[1],
        "square_zero_point": attrs.square.zero_point, "variance_multiplier": variance[0],
        "variance_shift": variance[1], "variance_zero_point": attrs.variance.zero_point,
        "root_zero_point": attrs.root.zero_point, "normed_multiplier": product[0], "normed_shift": product[1],
        "normed_zero_point": normed.zero_point, "gain_zero_point": gain_zero_point, "gain_multiplier": gain[0],
        "gain_shift": gain[1], "gained_zero_point": gained.zero_point, "gained_multiplier": behind["a_multiplier"],
        "gained_shift": behind["a_shift"], "out_multiplier": behind["out_multiplier"],
        "out_shift": behind["out_shift"], "out_zero_point": y.zero_point,
    }  # fmt: skip


_SUM = ("a_multiplier", "a_shift", "b_multiplier", "b_shift", "out_multiplier", "out_shift")


def build_on(graph: Graph, op: Op, kernel: str, header: str, ints: dict[str, int]) -> Step:
    """The step of a kernel that takes the roots, gain and offset and then ``ints``; in place over its input."""
    attrs = cast(WholeNormAttrs, op.attrs)
    gain = constant(graph, op, 1).ravel() if has_input(op, 1) else np.zeros(1, np.int8)
    roots = np.roll(np.array(attrs.table, np.int8), 128)
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), ConstRef(2), *(Int(name, value) for name, value in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel=kernel, header=header, inputs=op.inputs[:1], in_place=((0, 0),), args=args,
        consts=(
            Const("roots", roots, Role.TABLE, align_bytes=1), Const("gain", gain, Role.WEIGHTS),
            scaled_offset(graph, op),
        ),
    )  # fmt: skip


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step."""
    return build_on(graph, op, "tml_whole_norm", "tml_whole_norm.h", numbers(graph, op))
