"""FULLY_CONNECTED: per tensor and per channel, with either rounding.

``tml_fully_connected`` requantises in integers. Where LiteRT's float64 rounding has no integer equivalent,
``tml_fully_connected_float64`` does it in software floating point as LiteRT does.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import FullyConnectedAttrs
from tinyml.graph.quantisation import Range, activation_range, effective_scales
from tinyml.lower.ops.common import constant, first_input, first_output, make_step, optional_bias
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Out, Role, Step, Target
from tinyml.lower.requant import (
    Multipliers,
    NoIntegerMultiplierError,
    double_rounding,
    fold_input_zero_point,
    single_rounding,
)
from tinyml.lower.verdict import APPLIES, Verdict, unfit


def requantisation(graph: Graph, op: Op, clamps: Range) -> Multipliers:
    """Multipliers for each output channel, or a single one where the weights are quantised per tensor.

    With two roundings and one scale TFLM multiplies the scales of input and weights in float32
    (GetQuantizedConvolutionMultipler in ``kernels/kernel_util.cc``).
    """
    weights = graph.tensor(op.inputs[1])
    x, output = first_input(graph, op), first_output(graph, op)
    assert weights.quant is not None
    channels = weights.shape[0] if weights.quant.per_channel else 1
    scales = effective_scales(x.scale, weights.quant, output.scale, channels)
    if cast(FullyConnectedAttrs, op.attrs).rounding is Rounding.SINGLE:
        reach = accumulator_ranges(graph, op)
        if channels == 1:
            reach = [Range(min(r.low for r in reach), max(r.high for r in reach))]
        return single_rounding(scales, reach, clamps, output.zero_point)
    if not weights.quant.per_channel:
        scales = [float(np.float32(x.scale) * np.float32(weights.quant.scale)) / output.scale]
    return double_rounding(scales)


def accumulator_ranges(graph: Graph, op: Op) -> list[Range]:
    """The smallest and largest accumulator of each output channel over all int8 inputs, bias included."""
    weights = constant(graph, op, 1).astype(np.int64)
    bias = optional_bias(graph, op)
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    zero_point = first_input(graph, op).zero_point
    least, most = -128 - zero_point, 127 - zero_point
    start = np.zeros(len(weights), np.int64) if bias is None else bias.astype(np.int64)
    lows, highs = start + positive * least + negative * most, start + positive * most + negative * least
    return [Range(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]


def may_leave_int32(graph: Graph, op: Op, requant: Multipliers) -> bool:
    """Whether a scaled accumulator can lie outside of int32."""
    return why_beyond_int32(graph, op, requant) is not None


def why_beyond_int32(graph: Graph, op: Op, requant: Multipliers) -> str | None:
    """How far a scaled accumulator can lie outside of int32; None where none can."""
    if requant.max_shift <= 0:
        return None
    largest = np.array([max(-r.low, r.high) for r in accumulator_ranges(graph, op)], np.float64)
    scales = np.ldexp(np.array(requant.multipliers, np.float64), np.array(requant.shifts) - 31)
    most = float((largest * scales).max())
    return f"a scaled accumulator may reach {most:.3g}, beyond int32" if most >= 2.0**31 - 1 else None


def needs_float64(graph: Graph, op: Op, target: Target) -> Verdict:
    """LiteRT's rounding has no integer equivalent: accumulators above 2^24, mostly from a bias over a tiny scale."""
    clamps = activation_range(cast(FullyConnectedAttrs, op.attrs).activation, first_output(graph, op))
    try:
        requantisation(graph, op, clamps)
    except NoIntegerMultiplierError:
        return APPLIES
    return unfit("integers give the same rounding")


def build_float64(graph: Graph, op: Op, target: Target) -> Step:
    """The step that rounds in float64; ``scales`` is one for each output channel or a single one."""
    x, output = first_input(graph, op), first_output(graph, op)
    weights = graph.tensor(op.inputs[1])
    assert weights.quant is not None
    out_c, depth = weights.shape
    clamps = activation_range(cast(FullyConnectedAttrs, op.attrs).activation, output)
    scales = effective_scales(x.scale, weights.quant, output.scale, out_c if weights.quant.per_channel else 1)
    consts = (
        *weights_and_bias(graph, op),
        Const("scales", np.array(scales, np.float64), Role.REQUANT, align_bytes=8),
    )
    ints: dict[str, int] = {
        "batches": x.elements // depth,
        "depth": depth,
        "out_c": out_c,
        "per_channel": int(len(scales) > 1),
        "out_zero_point": output.zero_point,
        "out_min": clamps.low,
        "out_max": clamps.high,
    }
    args: tuple[Arg, ...] = (In(0), Out(0), *(ConstRef(i) for i in range(3)), *(Int(k, v) for k, v in ints.items()))
    return make_step(
        graph,
        op,
        kernel="tml_fully_connected_float64",
        header="tml_fully_connected.h",
        inputs=op.inputs[:1],
        args=args,
        consts=consts,
    )


def weights_and_bias(graph: Graph, op: Op) -> tuple[Const, Const]:
    """The weights as they are in the file, and the bias with the input's zero point folded in."""
    weights = constant(graph, op, 1)
    sums = weights.astype(np.int64).sum(axis=1)
    bias = fold_input_zero_point(optional_bias(graph, op), sums, first_input(graph, op).zero_point)
    return Const("weights", weights, Role.WEIGHTS), Const("bias", bias, Role.BIAS)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step."""
    attrs = cast(FullyConnectedAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    out_c, depth = graph.tensor(op.inputs[1]).shape
    clamps = activation_range(attrs.activation, output)
    requant = requantisation(graph, op, clamps)
    consts = (*weights_and_bias(graph, op), *requant.consts())
    single = attrs.rounding is Rounding.SINGLE
    ints: dict[str, int] = {
        "batches": x.elements // depth,
        "depth": depth,
        "out_c": out_c,
        "per_channel": int(len(requant.multipliers) > 1),
        "single_rounding": int(single),
        "out_zero_point": output.zero_point,
        "out_min": clamps.low,
        "out_max": clamps.high,
        "max_shift": requant.max_shift,
        "may_overflow": int(single and may_leave_int32(graph, op, requant)),
    }
    args: tuple[Arg, ...] = (In(0), Out(0), *(ConstRef(i) for i in range(4)), *(Int(k, v) for k, v in ints.items()))
    return make_step(
        graph,
        op,
        kernel="tml_fully_connected",
        header="tml_fully_connected.h",
        inputs=op.inputs[:1],
        args=args,
        consts=consts,
    )
