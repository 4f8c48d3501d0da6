"""Reshapes constants at compile time."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tinyml.graph.ir import Graph, Op
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import with_tensor, without_op


class FoldConstantReshape(Pass):
    """RESHAPE, SQUEEZE and EXPAND_DIMS of a constant become a constant."""

    name = "fold-constant-reshape"
    forward: ClassVar[bool] = True

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` only gives a constant another shape."""
        constant = op.kind in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS") and view.tensor(op.inputs[0]).is_constant
        return constant and not view.is_output(op.outputs[0])

    def transform(self, view: View, op: Op) -> Graph:
        """The output is the constant in its new shape."""
        data, output = view.tensor(op.inputs[0]).data, view.tensor(op.outputs[0])
        assert data is not None
        constant = replace(output, data=data.reshape(output.shape))
        return with_tensor(without_op(view.graph, op), op.outputs[0], constant, traceable=False)
