"""Merges ops that move elements with those that moved their input before."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.move import MAX_LOOPS, TablesAttrs, ViewAttrs, fitted, moved
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import with_op, without_op

RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


class MergeMoves(Pass):
    """What was moved and is moved again is moved once, where one strided view does it; reshapes between do not matter.

    So a channel shuffle, RESHAPE, TRANSPOSE, RESHAPE, is read by a SPLIT straight from what was shuffled,
    transpositions that cancel go, and so do those that only move dimensions of size 1. A move that something else
    reads as well stays, and then so does what reads it, unless it is a piece that costs nothing.
    """

    name = "merge-moves"

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` moves what only moves read, or gives it another shape."""
        return _reshapes(view, op) or _merged(view, op) is not None

    def transform(self, view: View, op: Op) -> Graph:
        """``op`` reading what came before; without what nothing reads any more."""
        before = view.producer(op.inputs[0])
        assert before is not None
        if _reshapes(view, op):
            return with_op(without_op(view.graph, op), before, replace(before, outputs=op.outputs))
        both = _merged(view, op)
        assert both is not None
        graph = with_op(view.graph, op, replace(op, inputs=before.inputs, attrs=both))
        unread = len(view.readers(before.outputs[0])) == 1 and not view.is_output(before.outputs[0])
        return without_op(graph, before) if unread else graph


def _reshapes(view: View, op: Op) -> bool:
    """Whether ``op`` only gives another shape to what a move makes, which can make it in that shape."""
    before = view.producer(op.inputs[0]) if op.kind in RESHAPES else None
    if before is None:
        return False
    return moves(before) and len(view.readers(op.inputs[0])) == 1 and not view.is_output(op.inputs[0])


def _merged(view: View, op: Op) -> ViewAttrs | TablesAttrs | None:
    """The move that does what ``op`` and the move before it do; None where there is none or nothing is gained."""
    before = view.producer(op.inputs[0]) if op.inputs and moves(op) else None
    if before is None or not before.inputs or view.tensor(before.inputs[0]).is_constant:
        return None
    if before.kind in RESHAPES:
        return moved(op.attrs)
    if not moves(before):
        return None
    free = isinstance(before.attrs, ViewAttrs) and before.attrs.contiguous
    if not free and not _only_moves_read(view, before.outputs[0]):
        return None
    both = fitted(moved(before.attrs).flat()[moved(op.attrs).flat()])
    return both if both is not None and len(both.sizes) <= MAX_LOOPS else None


def moves(op: Op) -> bool:
    """Whether ``op`` moves elements to places known when compiling."""
    return isinstance(op.attrs, ViewAttrs | TablesAttrs)


def _only_moves_read(view: View, tensor: int) -> bool:
    if view.is_output(tensor):
        return False
    readers = view.readers(tensor)
    return all(moves(r) or (r.kind in RESHAPES and _only_moves_read(view, r.outputs[0])) for r in readers)
