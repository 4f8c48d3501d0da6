"""Rewritings of the graph, in the order they run. Each is exact: no output byte changes."""

from __future__ import annotations

from tinyml.graph.check import problems
from tinyml.graph.ir import Graph
from tinyml.graph.ops import SPECS
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.drop_identities import DropIdentities
from tinyml.graph.passes.edit import compacted
from tinyml.graph.passes.fold_constant_reshape import FoldConstantReshape
from tinyml.graph.passes.fold_pad import FoldPad
from tinyml.graph.passes.fuse_activation import FuseActivation
from tinyml.graph.passes.remove_dead_ops import RemoveDeadOps

__all__ = ["PASSES", "Pass", "View", "run_pass", "run_passes"]

PASSES: tuple[Pass, ...] = (
    RemoveDeadOps(),
    FoldConstantReshape(),
    DropIdentities(),
    FuseActivation(),
    FoldPad(),
)


def run_passes(graph: Graph, passes: tuple[Pass, ...] = PASSES) -> Graph:
    """The graph after all passes; raises RuntimeError where a pass leaves one that is not sound (a bug of ours)."""
    for one in passes:
        graph = run_pass(graph, one)
    return graph


def run_pass(graph: Graph, one: Pass) -> Graph:
    """The graph rewritten by one pass wherever it matches, checked, without tensors that are no longer named."""
    view = View.of(graph)
    position = len(graph.ops)
    while position:
        # From the end, so that ops whose readers go become dead in the same round.
        position -= 1
        op = view.graph.ops[position]
        if one.match(view, op):
            view = View.of(one.transform(view, op))
            position = min(position + 1, len(view.graph.ops))
    result = compacted(view.graph)
    for problem in problems(result):
        raise RuntimeError(f"the pass {one.name} left a graph that is not sound: {problem}")
    for op in result.ops:
        for rule, facts in SPECS[op.kind].violations(result, op):
            raise RuntimeError(f"the pass {one.name} left {op.name!r} against the rule {rule!r}: {facts}")
    return result
