"""FULLY_CONNECTED on ``tml_fully_connected_v6m``: six channels at a time, either rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import FullyConnectedAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.fully_connected import requantisation, why_beyond_int32
from tinyml.lower.ops.matrix_product import of_fully_connected
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Isa, Optimize, Out, Role, Scratch, Step, Target
from tinyml.lower.v6m.gemm import parts_of
from tinyml.lower.v6m.lines import Ints64
from tinyml.lower.v6m.requant import Layer, explain, layer
from tinyml.lower.verdict import APPLIES, Verdict, proven

_AT_ONCE = 6


def op_layer(graph: Graph, op: Op, target: Target) -> Layer:
    """The op as a matrix product."""
    return layer(*of_fully_connected(graph, op), target.isa)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Scaled accumulators that stay within int32."""
    attrs = cast(FullyConnectedAttrs, op.attrs)
    if attrs.rounding is Rounding.DOUBLE:
        return APPLIES
    clamps = activation_range(attrs.activation, first_output(graph, op))
    return proven(why_beyond_int32(graph, op, requantisation(graph, op, clamps)))


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of FULLY_CONNECTED."""
    return build_rows(graph, op, target, op_layer(graph, op, target))


def build_rows(graph: Graph, op: Op, target: Target, product: Layer) -> Step:
    """The step for any op that multiplies rows of its input by a matrix.

    Words are 2.7 times as large as bytes and save a third to a half of the instructions: for speed only.
    """
    channels, depth = product.weights.shape
    parts = parts_of(product.weights) if target.optimize is Optimize.SPEED else None
    part_depth = depth if parts is None else -(-depth // parts)
    in_words = parts is not None
    weights = pack_words(product.weights) if in_words else pack_bytes(product.weights, target.isa)
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), ConstRef(1), Scratch(),
        Int("rows", first_input(graph, op).elements // depth), Int("depth", depth), Int("channels", channels),
        Int("bytes", int(not in_words)), Int("part_depth", part_depth), *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_fully_connected_v6m", header="tml_fully_connected_v6m.h", inputs=op.inputs[:1],
        args=args, consts=(weights, product.requant.const),
        scratch_bytes=4 * depth if in_words and target.isa is Isa.V6M else 0,
    )  # fmt: skip
    why = "3 channels in 2 words of flash, for speed" if in_words else "weights as bytes, which are used only once"
    return replace(step, reason=f"{explain(product.requant)}; {why}")


def pack_bytes(weights: Ints64, isa: Isa) -> Const:
    """Bytes [groups, depth, 6]; ARMv6-M wants them 128 larger."""
    data = _sixes(weights).transpose(0, 2, 1)
    if isa is Isa.V6M:
        return Const("weights", (data + 128).astype(np.uint8), Role.WEIGHTS)
    return Const("weights", data.astype(np.int8), Role.WEIGHTS)


def pack_words(weights: Ints64) -> Const:
    """Words [groups, depth, 4]: two of channels 0, 1, 2 and two of 3, 4, 5."""
    six = _sixes(weights)
    words = [six[:, a] + (six[:, c] << shift) for a, c, shift in ((0, 2, 21), (1, 2, 10), (3, 5, 21), (4, 5, 10))]
    return Const("weights", (np.stack(words, axis=2) & 0xFFFFFFFF).astype(np.uint32), Role.WEIGHTS)


def _sixes(weights: Ints64) -> Ints64:
    padded = np.pad(weights, ((0, -len(weights) % _AT_ONCE), (0, 0)))
    return padded.reshape(-1, _AT_ONCE, weights.shape[1])
