"""ATTENTION: what lowering makes of BATCH_MATMUL, SOFTMAX and BATCH_MATMUL. No file has it."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, attrs_of, shape_text


@dataclass(frozen=True, slots=True)
class AttentionAttrs(Attrs):
    """Attributes of ATTENTION; inputs are queries [..., M, K], keys and values [..., N, D], all int8.

    Keys are [..., K, N], with ``keys_by_row`` [..., N, K]. Scores have ``score_scale`` and ``score_zero_point``; where
    a ``table`` is given they go through it, from -128 to 127, and then have ``logit_scale``. Softmax has ``beta``.
    """

    keys_by_row: bool = False
    score_scale: float = 1.0
    score_zero_point: int = 0
    table: tuple[int, ...] = ()
    logit_scale: float = 1.0
    beta: float = 1.0


class Attention(Int8Spec):
    """``softmax(q k) v``, query by query: made by the compiler, not read from a file."""

    kind = "ATTENTION"
    attrs_type = AttentionAttrs
    inputs_min = 3
    inputs_max = 3

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """Queries, keys and values fit, with the same leading dimensions, and so does the output."""
        q, k, v, y = (graph.tensors[i].shape for i in (*op.inputs, op.outputs[0]))
        keys = k[-2:][::-1] if attrs_of(op, AttentionAttrs).keys_by_row else k[-2:]
        ranks = len({len(shape) for shape in (q, k, v, y)}) == 1 and len(q) >= 2
        if ranks and q[:-2] == k[:-2] == v[:-2] and (q[-1], v[-2]) == keys and y == (*q[:-1], v[-1]):
            return None
        return f"got {shape_text(q)}, {shape_text(k)} and {shape_text(v)} to {shape_text(y)}"

    def constraint_table(self, graph: Graph, op: Op) -> str | None:
        """The table, where there is one, has 256 results from -128 to 127."""
        table = attrs_of(op, AttentionAttrs).table
        return None if len(table) in (0, 256) and all(-128 <= v <= 127 for v in table) else f"got {len(table)}"

    def macs(self, graph: Graph, op: Op) -> int:
        """Those of both products."""
        count = graph.tensors[op.inputs[2]].shape[-2]
        return (graph.tensors[op.inputs[0]].elements + graph.tensors[op.outputs[0]].elements) * count
