"""BATCH_MATMUL: products of matrices, both of which may be computed at run time."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, attrs_of, multiplier_facts, shape_text

MAX_DEPTH = 33_000
"""Terms of a sum: each is at most 255 * 255, and int32 holds 33,025 of them."""


@dataclass(frozen=True, slots=True)
class BatchMatMulAttrs(Attrs):
    """Attributes of BATCH_MATMUL; inputs are (a [..., M, K], b [..., K, N]), either may be constant.

    With ``adj_x`` a is [..., K, M], with ``adj_y`` b is [..., N, K].
    """

    adj_x: bool = False
    adj_y: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """The sizes of a product: matrices [rows, depth] times [depth, columns] for every index of ``batch``."""

    rows: int
    depth: int
    columns: int
    batch: tuple[int, ...]


def product_of(graph: Graph, op: Op) -> Product | None:
    """The sizes, None where the shapes do not fit."""
    attrs = attrs_of(op, BatchMatMulAttrs)
    a, b = (graph.tensors[i].shape for i in op.inputs)
    if min(len(a), len(b)) < 2:
        return None
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    rows, depth = a[-2:][::-1] if attrs.adj_x else a[-2:]
    depth_b, columns = b[-2:][::-1] if attrs.adj_y else b[-2:]
    if depth != depth_b or any(m != n and 1 not in (m, n) for m, n in zip(a[:-2], b[:-2], strict=True)):
        return None
    return Product(rows, depth, columns, tuple(max(pair) for pair in zip(a[:-2], b[:-2], strict=True)))


class BatchMatMul(Int8Spec):
    """Matrix product over leading dimensions that broadcast."""

    kind = "BATCH_MATMUL"
    attrs_type = BatchMatMulAttrs
    inputs_min = 2
    inputs_max = 2

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The inputs are matrices of 2 to 5 dimensions that fit, and the output is their product."""
        a, b, y = (graph.tensors[i].shape for i in (*op.inputs, op.outputs[0]))
        product = product_of(graph, op) if max(len(a), len(b)) <= 5 else None
        if product is not None and y == (*product.batch, product.rows, product.columns):
            return None
        return f"got {shape_text(a)} and {shape_text(b)} to {shape_text(y)}"

    def constraint_depth(self, graph: Graph, op: Op) -> str | None:
        """At most 33000 products go into one output, so that no int32 sum overflows."""
        product = product_of(graph, op)
        return None if product is not None and product.depth <= MAX_DEPTH else f"got {product and product.depth}"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """The product of the input scales divided by the output scale is below 2^30."""
        a, b = (graph.tensors[i].scale for i in op.inputs)
        return multiplier_facts(a * b / graph.tensors[op.outputs[0]].scale)

    def macs(self, graph: Graph, op: Op) -> int:
        """Output elements times the depth of the sums."""
        product = product_of(graph, op)
        return 0 if product is None else graph.tensor(op.outputs[0]).elements * product.depth
