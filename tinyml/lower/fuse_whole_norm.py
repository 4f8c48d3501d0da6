"""A norm over a whole example as one WHOLE_NORM: MEAN, SUB, MUL, MEAN, a root from a table, MUL, and MUL and ADD.

So neither squares nor quotients are in memory, and an example is read three times instead of seven. These are the ops
that :func:`tinyml.models.norms.whole_norm` converts to; ADD and RSQRT of the variance are one table before
(:mod:`tinyml.lower.fuse`). A gain of ones or an offset of zeros is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import cast

from tinyml.graph.ir import ABSENT, DType, Graph, Op
from tinyml.graph.ops import ReduceAttrs, WholeNormAttrs
from tinyml.lower.fuse_layer_norm import Chain
from tinyml.lower.ops.elementwise import CURVES, table_of


@dataclass(frozen=True, slots=True)
class _Norm:
    """The ops up to the quotient, by their places but that of the quotient itself, and what is normalised."""

    x: int
    gone: tuple[int, ...]
    attrs: WholeNormAttrs


def fuse_whole_norm(graph: Graph) -> Graph:
    """``graph`` with a WHOLE_NORM for each such chain whose intermediate results nothing else reads."""
    ops: list[Op] = list(graph.ops)
    gone: set[int] = set()
    chain, search = Chain(graph), _Search(graph)
    for index, op in enumerate(graph.ops):
        found = search.norm(index) if op.kind == "MUL" else None
        if found is None:
            continue
        behind = chain.scaled(index)
        last = graph.ops[behind.last]
        normed = graph.tensors[op.outputs[0]].quant if behind.gain != ABSENT else None
        gained = graph.tensors[behind.gained].quant if behind.gained is not None else None
        ops[behind.last] = replace(
            last, kind="WHOLE_NORM", inputs=(found.x, behind.gain, behind.offset),
            attrs=replace(found.attrs, normed=normed, gained=gained),
        )  # fmt: skip
        gone |= {*found.gone, index, *behind.gone} - {behind.last}
    return graph.with_ops(op for i, op in enumerate(ops) if i not in gone) if gone else graph


class _Search:
    """Walks from a quotient back to what it is made of."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._producers, self._readers = graph.producers(), graph.consumers()
        self._chain = Chain(graph)

    def norm(self, quotient: int) -> _Norm | None:
        """The norm whose quotient is what the op ``quotient`` makes; None where that is none."""
        graph = self._graph
        if not self._chain.plain(quotient):
            return None
        for root, deviation in (pair := graph.ops[quotient].inputs, pair[::-1]):
            found = self._of(quotient, deviation, root)
            if found is not None:
                return found
        return None

    def _of(self, quotient: int, deviation: int, root: int) -> _Norm | None:
        graph, tensors = self._graph, self._graph.tensors
        table = self._maker(root, CURVES, quotient)
        variance = None if table is None else self._maker(graph.ops[table].inputs[0], {"MEAN"}, table)
        square = None if variance is None else self._maker(graph.ops[variance].inputs[0], {"MUL"}, variance)
        sub = self._maker(deviation, {"SUB"}, square, quotient)
        mean = None if sub is None else self._maker(graph.ops[sub].inputs[1], {"MEAN"}, sub)
        if table is None or variance is None or square is None or sub is None or mean is None:
            return None
        x = graph.ops[sub].inputs[0]
        plain = self._chain.plain(square) and self._chain.plain(sub)
        if not plain or graph.ops[square].inputs != (deviation, deviation) or graph.ops[mean].inputs[0] != x:
            return None
        elements = self._elements(mean, x)
        same = tensors[deviation].shape == tensors[x].shape == tensors[graph.ops[quotient].outputs[0]].shape
        if not same or elements is None or self._elements(variance, graph.ops[square].outputs[0]) != elements:
            return None
        ops = (mean, sub, square, variance, table)
        quants = [quant for i in ops if (quant := tensors[graph.ops[i].outputs[0]].quant) is not None]
        if len(quants) != len(ops) or tensors[x].dtype is not DType.INT8:
            return None
        roots = tuple(table_of(graph, graph.ops[table]))
        first, second, third, fourth, fifth = quants
        attrs = WholeNormAttrs(first, second, third, fourth, fifth, roots, elements)
        return _Norm(x, ops, attrs)

    def _maker(self, tensor: int, kinds: Collection[str], *readers: int | None) -> int | None:
        """The op of one of ``kinds`` that makes ``tensor`` for ``readers`` only."""
        index = self._producers.get(tensor)
        if index is None or None in readers or self._graph.ops[index].kind not in kinds:
            return None
        alone = set(self._readers.get(tensor, ())) == set(readers) and tensor not in self._graph.outputs
        return index if alone and self._graph.tensors[tensor].dtype is DType.INT8 else None

    def _elements(self, mean: int, tensor: int) -> int | None:
        """How many elements of ``tensor`` MEAN goes over: all or those of an example; None where these are others."""
        shape, kept = self._graph.tensors[tensor].shape, self._graph.tensors[self._graph.ops[mean].outputs[0]].shape
        axes = set(cast(ReduceAttrs, self._graph.ops[mean].attrs).axes)
        if len(kept) != len(shape) or not {*range(1, len(shape))} <= axes:
            return None
        examples = 1 if 0 in axes else shape[0]
        return self._graph.tensors[tensor].elements // examples
