"""Removes ops whose output nobody reads."""

from __future__ import annotations

from tinyml.graph.ir import Graph, Op
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import without_op


class RemoveDeadOps(Pass):
    """An op whose outputs no op reads, no next run either, and which are no outputs of the graph does nothing."""

    name = "remove-dead-ops"

    def match(self, view: View, op: Op) -> bool:
        """Whether nothing reads ``op``."""
        return op.kind != "ASSIGN_VARIABLE" and not any(view.consumers.get(t) or view.is_output(t) for t in op.outputs)

    def transform(self, view: View, op: Op) -> Graph:
        """Without ``op``."""
        return without_op(view.graph, op)
