"""FULLY_CONNECTED on ``tml_fully_connected_dsp``: four channels at a time, either rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import cast

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import FullyConnectedAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.dsp.gemm import (
    MOST_PART_INPUTS,
    fours_of,
    pack_fours,
    pack_fours_apart,
    why_no_words,
    why_not,
)
from tinyml.lower.dsp.requant import Layer, layer
from tinyml.lower.ops.common import constant, first_input, first_output, make_step
from tinyml.lower.ops.fully_connected import requantisation, why_beyond_int32
from tinyml.lower.ops.matrix_product import of_fully_connected
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Optimize, Out, Role, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, proven, unfit

_UNROLL = {Optimize.SPEED: 64, Optimize.BALANCED: 64, Optimize.SIZE: 8}
_EIGHT_CODE_BYTES, _DIRECT_CODE_BYTES, _AROUND_LOOPS_BYTES = 108, 124, 160
_LARGEST_LOOPS_BYTES = 1 << 12
_LEAST_SCRATCH_BYTES, _ANY = 128, 1 << 30
_LEAST_PART = 4
"""Fewer inputs than this part of all are not worth a loop of their own."""


@lru_cache(maxsize=4)
def op_layer(graph: Graph, op: Op, *, in_parts: bool = False) -> Layer:
    """The op as a matrix product; ``in_parts`` as in :func:`tinyml.lower.dsp.requant.layer`."""
    product = of_fully_connected(graph, op)
    return layer(*product, rows=fours_of(len(product.weights)), in_parts=in_parts)


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Weights that pack in twos, and scaled accumulators that stay within int32."""
    return proven(why_not(op_layer(graph, op))) and _scaled_applies(graph, op)


def deep_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Weights that pack in twos, inputs in eights, and scaled accumulators that stay within int32."""
    depth = constant(graph, op, 1).shape[1]
    if depth % 8 != 0:
        return unfit(f"inputs in eights, here {depth}")
    return proven(why_no_words(op_layer(graph, op, in_parts=True))) and _scaled_applies(graph, op)


def _scaled_applies(graph: Graph, op: Op) -> Verdict:
    attrs = cast(FullyConnectedAttrs, op.attrs)
    if attrs.rounding is Rounding.DOUBLE:
        return APPLIES
    clamps = activation_range(attrs.activation, first_output(graph, op))
    return proven(why_beyond_int32(graph, op, requantisation(graph, op, clamps)))


@dataclass(frozen=True, slots=True)
class Split:
    """How many inputs are expanded for every four channels, and how many of each part one turn of its loop does."""

    direct: int
    direct_unroll: int
    unroll: int


def choose_split(depth: int, scratch_bytes: int, target: Target) -> Split:
    """Expand as many inputs as ``scratch_bytes`` allow once a row, the others again for every four channels.

    Inputs that do not fill eight are always among the first, since the others are read eight at a time.
    """
    padded = -(-depth // 8) * 8
    kept = min(padded, max(scratch_bytes // 16 * 8, padded - depth // 8 * 8))
    if kept * _LEAST_PART < padded and depth % 8 == 0:
        kept = 0
    direct = padded - kept
    limit, room_bytes = _UNROLL[target.optimize], _LARGEST_LOOPS_BYTES
    if target.code_cache_bytes is not None:
        room_bytes = target.code_cache_bytes - _AROUND_LOOPS_BYTES
    parts = [
        (direct_part, part)
        for direct_part in _parts(direct, limit)
        for part in _parts(kept, limit)
        if (direct_part * _DIRECT_CODE_BYTES + part * _EIGHT_CODE_BYTES) // 8 <= room_bytes
    ]
    best = min(parts or [(8, 8)], key=lambda pair: direct / max(pair[0], 1) + kept / max(pair[1], 1))
    return Split(direct, *best)


def _parts(inputs: int, limit: int) -> list[int]:
    """The multiples of eight up to ``limit`` that divide ``inputs``; 0 alone where there are none to divide."""
    return [part for part in range(8, min(limit, inputs) + 1, 8) if inputs % part == 0] or [0]


def scratch_limit(graph: Graph, op: Op, target: Target) -> int:
    """Bytes of scratch that a layer may take without being what decides the arena.

    For speed any number. Else what the largest layer's input and output take more than the op's own, and 128 bytes.
    """
    if target.optimize is Optimize.SPEED:
        return _ANY
    return _LEAST_SCRATCH_BYTES + max(map(partial(_live_bytes, graph), graph.ops)) - _live_bytes(graph, op)


def _live_bytes(graph: Graph, op: Op) -> int:
    tensors = (graph.tensor(t) for t in (*op.inputs, *op.outputs) if t >= 0)
    return sum(t.size_bytes for t in tensors if t.data is None)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of FULLY_CONNECTED; weights that several layers have go into a stream of their own, the same for all."""
    shared = sum(op.inputs[1] in other.inputs for other in graph.ops) > 1
    return build_rows(graph, op, target, op_layer(graph, op), shared=shared)


def build_rows(graph: Graph, op: Op, target: Target, product: Layer, *, shared: bool = False) -> Step:
    """The step for any op that multiplies rows of its input by a matrix."""
    channels, depth = first_output(graph, op).shape[-1], product.weights.shape[1]
    split = choose_split(depth, scratch_limit(graph, op, target), target)
    kernel = "tml_fully_connected_dsp"
    consts: tuple[Const, ...] = (Const("weights", pack_fours(product), Role.WEIGHTS),)
    if shared:
        words, ends = pack_fours_apart(product)
        kernel = "tml_fully_connected_shared_dsp"
        consts = (Const("weights", words, Role.WEIGHTS), Const("ends", ends, Role.REQUANT))
    args: tuple[Arg, ...] = (
        In(0), Out(0), *(ConstRef(i) for i in range(len(consts))), Scratch(),
        Int("rows", first_input(graph, op).elements // depth), Int("depth", depth), Int("channels", channels),
        Int("direct", split.direct), Int("direct_unroll", split.direct_unroll), Int("unroll", split.unroll),
        *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel=kernel, header="tml_fully_connected_dsp.h", inputs=op.inputs[:1], args=args, consts=consts,
        scratch_bytes=2 * (-(-depth // 8) * 8 - split.direct),
    )  # fmt: skip
    why = f"{split.direct:,} of {depth:,} inputs expanded for every 4 channels, which saves scratch"
    return replace(step, reason=why if split.direct else "")


def build_deep(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_fully_connected_deep_dsp``; it takes no scratch."""
    product = op_layer(graph, op, in_parts=True)
    channels, depth = first_output(graph, op).shape[-1], product.weights.shape[1]
    unroll = max(_parts(depth, _UNROLL[target.optimize]))
    part = MOST_PART_INPUTS // unroll * unroll
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0),
        Int("rows", first_input(graph, op).elements // depth), Int("depth", depth), Int("channels", channels),
        Int("unroll", unroll), Int("part", part), *product.requant.ints(),
    )  # fmt: skip
    step = make_step(
        graph, op, kernel="tml_fully_connected_deep_dsp", header="tml_fully_connected_dsp.h", inputs=op.inputs[:1],
        args=args, consts=(Const("weights", pack_fours(product, deep=True), Role.WEIGHTS),),
    )  # fmt: skip
    return replace(step, reason=f"sums in {-(-depth // part)} parts")
