"""BATCH_MATMUL, a function of its scores or none, SOFTMAX, BATCH_MATMUL as one ATTENTION, query by query.

So the matrix of scores, queries times keys times heads, is never in memory: only one query's. Each result is rounded
as the ops round it one behind the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import AttentionAttrs, BatchMatMulAttrs, SoftmaxAttrs
from tinyml.lower.fuse import function_of_one


@dataclass(frozen=True, slots=True)
class _Chain:
    """The ops of one attention, by index; ``function`` is None where scores go into the softmax as they are."""

    scores: int
    function: int | None
    softmax: int
    values: int


def fuse_attention(graph: Graph) -> Graph:
    """``graph`` with an ATTENTION for each such chain whose intermediate results nothing else reads."""
    producers, readers = graph.producers(), graph.consumers()

    def only(tensor: int, kind: str | None) -> int | None:
        """The op of ``kind`` that makes ``tensor`` for one reader only."""
        index = producers.get(tensor)
        alone = len(readers.get(tensor, ())) == 1 and tensor not in graph.outputs
        found = index is not None and alone and kind in (None, graph.ops[index].kind)
        return index if found else None

    ops: list[Op] = list(graph.ops)
    gone: set[int] = set()
    for index, op in enumerate(graph.ops):
        chain = _chain(graph, index, only) if op.kind == "BATCH_MATMUL" else None
        fused = _fused(graph, chain) if chain else None
        if chain and fused:
            ops[index] = fused
            gone |= {i for i in (chain.scores, chain.function, chain.softmax) if i is not None}
    return graph.with_ops(op for i, op in enumerate(ops) if i not in gone) if gone else graph


def _chain(graph: Graph, values: int, only: Callable[[int, str | None], int | None]) -> _Chain | None:
    softmax = only(graph.ops[values].inputs[0], "SOFTMAX")
    if softmax is None or graph.ops[values].inputs[0] == graph.ops[values].inputs[1]:
        return None
    before = only(graph.ops[softmax].inputs[0], None)
    if before is None:
        return None
    if graph.ops[before].kind == "BATCH_MATMUL":
        return _Chain(before, None, softmax, values)
    function = function_of_one(graph, graph.ops[before])
    scores = only(function[0], "BATCH_MATMUL") if function else None
    return None if scores is None else _Chain(scores, before, softmax, values)


def _fused(graph: Graph, chain: _Chain) -> Op | None:
    first, last = graph.ops[chain.scores], graph.ops[chain.values]
    attrs, last_attrs = cast(BatchMatMulAttrs, first.attrs), cast(BatchMatMulAttrs, last.attrs)
    inputs = (*first.inputs, last.inputs[1])
    query, key, value = (graph.tensors[t] for t in inputs)
    alike = query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    turned = attrs.adj_x or last_attrs.adj_x or last_attrs.adj_y
    if turned or not alike or any(tensor.is_constant for tensor in (query, key, value)):
        return None
    score = graph.tensors[first.outputs[0]]
    logits = graph.tensors[graph.ops[chain.softmax].inputs[0]]
    function = None if chain.function is None else function_of_one(graph, graph.ops[chain.function])
    fused = AttentionAttrs(
        keys_by_row=attrs.adj_y,
        score_scale=score.scale,
        score_zero_point=score.zero_point,
        table=function[1] if function else (),
        logit_scale=logits.scale,
        beta=cast(SoftmaxAttrs, graph.ops[chain.softmax].attrs).beta,
    )
    return replace(last, kind="ATTENTION", inputs=inputs, attrs=fused)
