"""MEAN, SUB, L2_NORMALIZATION, MUL and ADD of a layer norm as one LAYER_NORM, row by row; of an RMS norm the latter.

So mean, deviation and quotient are never in memory for more than one row. Each is rounded as the ops round it one
behind the other. These are the ops that the norms of :mod:`tinyml.models.norms` convert to: a gain of ones or an offset
of zeros is left out, and rows may be reshaped between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from tinyml.graph.ir import ABSENT, Activation, DType, Graph, Op
from tinyml.graph.ops import BinaryAttrs, LayerNormAttrs, ReduceAttrs
from tinyml.graph.ops.common import different_quantisation


@dataclass(frozen=True, slots=True)
class _Centred:
    """What comes before the norm: the tensor that is normalised, and MEAN's and SUB's place where they are there."""

    x: int
    gone: tuple[int, ...] = ()
    mean: int | None = None
    deviation: int | None = None


@dataclass(frozen=True, slots=True)
class _Scaled:
    """What comes behind it: gain and offset or ABSENT, the last op's place and those before it."""

    last: int
    gone: tuple[int, ...] = ()
    gain: int = ABSENT
    offset: int = ABSENT
    gained: int | None = None


def fuse_layer_norm(graph: Graph) -> Graph:
    """``graph`` with a LAYER_NORM for each such chain whose intermediate results nothing else reads."""
    ops: list[Op] = list(graph.ops)
    gone: set[int] = set()
    chain = Chain(graph)
    for index, op in enumerate(graph.ops):
        if op.kind != "L2_NORMALIZATION":
            continue
        before, behind = chain.centred(op.inputs[0]), chain.scaled(index)
        if before.mean is None and behind.gain == ABSENT:
            continue
        quants = [None if t is None else graph.tensors[t].quant for t in (before.mean, before.deviation, behind.gained)]
        last = graph.ops[behind.last]
        ops[behind.last] = replace(
            last, kind="LAYER_NORM", inputs=(before.x, behind.gain, behind.offset), attrs=LayerNormAttrs(*quants)
        )
        gone |= {*before.gone, index, *behind.gone} - {behind.last}
    return graph.with_ops(op for i, op in enumerate(ops) if i not in gone) if gone else graph


class Chain:
    """Walks along tensors that one op makes and one op reads."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._producers, self._readers = graph.producers(), graph.consumers()

    def _maker(self, tensor: int, kind: str) -> int | None:
        """The op of ``kind`` that makes ``tensor`` for one reader only."""
        index = self._producers.get(tensor)
        found = index is not None and self._graph.ops[index].kind == kind and self._reader(tensor) is not None
        return index if found else None

    def _reader(self, tensor: int) -> int | None:
        readers = self._readers.get(tensor, ())
        return readers[0] if len(readers) == 1 and tensor not in self._graph.outputs else None

    def _keeps_rows(self, index: int) -> bool:
        """Whether a RESHAPE leaves the rows' length."""
        op = self._graph.ops[index]
        x, y = self._graph.tensors[op.inputs[0]].shape, self._graph.tensors[op.outputs[0]].shape
        return bool(x) and bool(y) and x[-1] == y[-1]

    def plain(self, index: int) -> bool:
        """Whether a sum or product is one of int8 without an activation."""
        op = self._graph.ops[index]
        fused = cast(BinaryAttrs, op.attrs).activation is not Activation.NONE
        return not fused and self._graph.tensors[op.outputs[0]].dtype is DType.INT8

    def centred(self, tensor: int) -> _Centred:
        """MEAN and SUB that give ``tensor``, or ``tensor`` as it is."""
        graph = self._graph
        gone: tuple[int, ...] = ()
        reshape = self._maker(tensor, "RESHAPE")
        if reshape is not None and self._keeps_rows(reshape):
            gone, tensor = (reshape,), graph.ops[reshape].inputs[0]
        plain = _Centred(tensor, gone)
        sub = self._maker(tensor, "SUB")
        if sub is None or not self.plain(sub):
            return plain
        x, subtrahend = graph.ops[sub].inputs
        mean = self._maker(subtrahend, "MEAN")
        if mean is None or graph.ops[mean].inputs[0] != x:
            return plain
        attrs, shape = cast(ReduceAttrs, graph.ops[mean].attrs), graph.tensors[x].shape
        if attrs.axes != (len(shape) - 1,) or not attrs.keep_dims or graph.tensors[tensor].shape != shape:
            return plain
        return _Centred(x, (*gone, sub, mean), subtrahend, tensor)

    def scaled(self, norm: int) -> _Scaled:
        """MUL and ADD of constants of a row's length behind the op ``norm``."""
        graph = self._graph
        depth = graph.tensors[graph.ops[norm].outputs[0]].shape[-1]
        at, gone = norm, [norm]
        found: dict[str, int] = {}
        gained: int | None = None
        for kind in ("MUL", "ADD"):
            step = self._constant_step(at, kind, depth)
            if step is None:
                break
            if kind == "ADD":
                gained = graph.ops[at].outputs[0]
            between, at, found[kind] = step
            gone += [*between, at]
        result = _Scaled(at, tuple(gone), found.get("MUL", ABSENT), found.get("ADD", ABSENT), gained)
        return self._reshaped(norm, result)

    def _constant_step(self, at: int, kind: str, depth: int) -> tuple[list[int], int, int] | None:
        """Reshapes, the op of ``kind`` behind the op ``at`` and its constant of ``depth``."""
        graph = self._graph
        index = self._reader(graph.ops[at].outputs[0])
        between: list[int] = []
        if index is not None and graph.ops[index].kind == "RESHAPE" and self._keeps_rows(index):
            between = [index]
            index = self._reader(graph.ops[index].outputs[0])
        if index is None or graph.ops[index].kind != kind or not self.plain(index):
            return None
        op = graph.ops[index]
        constants = [t for t in op.inputs if graph.tensors[t].is_constant]
        if len(constants) != 1:
            return None
        shape = graph.tensors[constants[0]].shape
        fits = bool(shape) and shape[-1] == depth == graph.tensors[constants[0]].elements
        return (between, index, constants[0]) if fits and self._same_size(op, constants[0]) else None

    def _same_size(self, op: Op, constant: int) -> bool:
        other = next(t for t in op.inputs if t != constant)
        return self._graph.tensors[other].elements == self._graph.tensors[op.outputs[0]].elements

    def _reshaped(self, norm: int, found: _Scaled) -> _Scaled:
        """With the RESHAPE behind it, where that brings back the shape which another took away before the norm."""
        graph = self._graph
        source = self._producers.get(graph.ops[norm].inputs[0])
        last = self._reader(graph.ops[found.last].outputs[0])
        if source is None or last is None or graph.ops[last].kind != "RESHAPE" or graph.ops[source].kind != "RESHAPE":
            return found
        before, after = graph.tensors[graph.ops[source].inputs[0]], graph.tensors[graph.ops[last].outputs[0]]
        same = before.shape == after.shape and self._keeps_rows(last)
        made = graph.tensors[graph.ops[found.last].outputs[0]]
        if not same or different_quantisation(made, after) is not None:
            return found
        return replace(found, last=last, gone=(*found.gone, last))
