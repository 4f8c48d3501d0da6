"""Moves the elements of constants when compiling."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.move import moved
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import with_tensor, without_op
from tinyml.graph.passes.merge_moves import RESHAPES, moves


class FoldConstantMoves(Pass):
    """RESHAPE, TRANSPOSE, slices and whatever else moves elements of a constant give a constant."""

    name = "fold-constant-moves"
    forward: ClassVar[bool] = True

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` only moves elements of a constant."""
        constant = (op.kind in RESHAPES or moves(op)) and view.tensor(op.inputs[0]).is_constant
        return constant and not view.is_output(op.outputs[0])

    def transform(self, view: View, op: Op) -> Graph:
        """The output is the constant as it was moved."""
        data, output = view.tensor(op.inputs[0]).data, view.tensor(op.outputs[0])
        assert data is not None
        if moves(op):
            data = data.reshape(-1)[moved(op.attrs).flat()]
        constant = replace(output, data=data.reshape(output.shape))
        return with_tensor(without_op(view.graph, op), op.outputs[0], constant, traceable=False)
