"""FULLY_CONNECTED on ``tml_fully_connected_mve``: eight channels at a time, either rounding."""

from __future__ import annotations

from tinyml.graph.ir import Graph, Op
from tinyml.lower.mve.gemm import LANES, pack_eights, uniform_scale, vectors_of
from tinyml.lower.mve.product import Product, product
from tinyml.lower.ops.common import first_input, make_step
from tinyml.lower.ops.matrix_product import of_fully_connected
from tinyml.lower.program import Arg, ConstRef, In, Int, Out, Scratch, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unproven


def op_product(graph: Graph, op: Op) -> Product | str:
    """The op as a matrix product, or why it has no vector form."""
    return product(*of_fully_connected(graph, op))


def applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Accumulators within ±2^30 and shifts that the vector forms round exactly."""
    found = op_product(graph, op)
    return unproven(found) if isinstance(found, str) else APPLIES


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step of FULLY_CONNECTED."""
    found = op_product(graph, op)
    assert isinstance(found, Product)
    return build_rows(graph, op, found)


def build_rows(graph: Graph, op: Op, found: Product) -> Step:
    """The step for any op that multiplies rows of its input by a matrix."""
    channels, depth = found.weights.shape
    scale = uniform_scale(found)
    multiplier, shift = scale or (0, 0)
    args: tuple[Arg, ...] = (
        In(0), Out(0), ConstRef(0), Scratch(),
        Int("rows", first_input(graph, op).elements // depth), Int("depth", depth), Int("channels", channels),
        Int("vectors", vectors_of(depth)), Int("uniform", int(scale is not None)), Int("multiplier", multiplier),
        Int("shift", shift), *found.ints(),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_fully_connected_mve", header="tml_fully_connected_mve.h", inputs=op.inputs[:1],
        args=args, consts=(pack_eights(found),), scratch_bytes=LANES * vectors_of(depth) if depth % LANES else 0,
    )  # fmt: skip
