"""FULLY_CONNECTED on ``tml_fully_connected_dsp``: four channels at a time, either rounding."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import FullyConnectedAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.dsp.gemm import fours_of, pack_fours, why_not
from tinyml.lower.dsp.requant import Layer, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step, optional_bias
from tinyml.lower.ops.fully_connected import may_leave_int32, requantisation
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Optimize, Out, Role, Scratch, Step, Target
from tinyml.lower.requant import fold_input_zero_point

_UNROLL = {Optimize.SPEED: 64, Optimize.BALANCED: 32, Optimize.SIZE: 8}


@lru_cache(maxsize=4)
def op_layer(graph: Graph, op: Op) -> Layer:
    """The op as a matrix product."""
    attrs, output = cast(FullyConnectedAttrs, op.attrs), first_output(graph, op)
    weights = constant(graph, op, 1).astype(np.int64)
    bias = fold_input_zero_point(optional_bias(graph, op), weights.sum(axis=1), first_input(graph, op).zero_point)
    clamps = activation_range(attrs.activation, output)
    multipliers = requantisation(graph, op, clamps)
    return layer(
        weights, bias.astype(np.int64), multipliers, attrs.rounding, output.zero_point, clamps,
        rows=fours_of(len(weights)),
    )  # fmt: skip


def applies(graph: Graph, op: Op, target: Target) -> bool:
    """Weights that pack in twos, and scaled accumulators that stay within int32."""
    attrs = cast(FullyConnectedAttrs, op.attrs)
    if why_not(op_layer(graph, op)) is not None:
        return False
    clamps = activation_range(attrs.activation, first_output(graph, op))
    return attrs.rounding is Rounding.DOUBLE or not may_leave_int32(graph, op, requantisation(graph, op, clamps))


def choose_unroll(depth: int, optimize: Optimize) -> int:
    """The largest multiple of eight within the limit that divides the depth filled up to a multiple of eight."""
    padded = -(-depth // 8) * 8
    limit = min(_UNROLL[optimize], padded)
    return next(unroll for unroll in range(limit, 0, -8) if padded % unroll == 0)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of FULLY_CONNECTED."""
    return build_rows(graph, op, target, op_layer(graph, op))


def build_rows(graph: Graph, op: Op, target: Target, product: Layer) -> Step:
    """The step for any op that multiplies rows of its input by a matrix."""
    channels, depth = first_output(graph, op).shape[-1], product.weights.shape[1]
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(),
        Int("rows", first_input(graph, op).elements // depth), Int("depth", depth), Int("channels", channels),
        Int("unroll", choose_unroll(depth, target.optimize)), *product.requant.ints(),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_fully_connected_dsp", header="tml_fully_connected_dsp.h", inputs=op.inputs[:1],
        args=args, consts=(Const("weights", pack_fours(product), Role.WEIGHTS),),
        scratch_bytes=2 * -(-depth // 8) * 8,
    )  # fmt: skip
