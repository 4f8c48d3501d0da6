"""Rewritings of the graph, in the order they run. Each is exact: no output byte changes."""

from __future__ import annotations

from tinyml.graph.check import problems
from tinyml.graph.ir import Graph
from tinyml.graph.ops import SPECS
from tinyml.graph.passes.base import GraphPass, Pass, View
from tinyml.graph.passes.drop_identities import DropIdentities
from tinyml.graph.passes.edit import compacted
from tinyml.graph.passes.fold_channel_moves import FoldChannelMoves
from tinyml.graph.passes.fold_constant_channels import FoldConstantChannels
from tinyml.graph.passes.fold_constant_moves import FoldConstantMoves
from tinyml.graph.passes.fold_pad import FoldPad
from tinyml.graph.passes.fold_sampling import FoldSampling
from tinyml.graph.passes.fuse_activation import FuseActivation
from tinyml.graph.passes.groups_to_depthwise import GroupsToDepthwise
from tinyml.graph.passes.merge_moves import MergeMoves
from tinyml.graph.passes.remove_dead_ops import RemoveDeadOps
from tinyml.graph.passes.remove_unread_channels import RemoveUnreadChannels

__all__ = ["PASSES", "GraphPass", "Pass", "View", "run_pass", "run_passes"]

PASSES: tuple[Pass | GraphPass, ...] = (
    RemoveDeadOps(),
    FoldConstantMoves(),
    MergeMoves(),
    DropIdentities(),
    FuseActivation(),
    GroupsToDepthwise(),
    FoldSampling(),
    FoldPad(),
    FoldChannelMoves(),
    FoldConstantChannels(),
    RemoveUnreadChannels(),
)


def run_passes(graph: Graph, passes: tuple[Pass | GraphPass, ...] = PASSES) -> Graph:
    """The graph after all passes; raises RuntimeError where a pass leaves one that is not sound (a bug of ours)."""
    for one in passes:
        graph = run_pass(graph, one)
    return graph


def run_pass(graph: Graph, one: Pass | GraphPass) -> Graph:
    """The graph rewritten by one pass wherever it matches, checked, without tensors that are no longer named."""
    if isinstance(one, GraphPass):
        view = View.of(graph)
        rewritten = one.transform(view) if one.match(view) else graph
    else:
        rewritten = _rewritten(graph, one)
    result = compacted(rewritten)
    for problem in problems(result):
        raise RuntimeError(f"the pass {one.name} left a graph that is not sound: {problem}")
    for op in result.ops:
        for rule, facts in SPECS[op.kind].violations(result, op):
            raise RuntimeError(f"the pass {one.name} left {op.name!r} against the rule {rule!r}: {facts}")
    return result


def _rewritten(graph: Graph, one: Pass) -> Graph:
    view, position = View.of(graph), 0
    while position < len(view.graph.ops):
        op = view.graph.ops[position if one.forward else -1 - position]
        if one.match(view, op):
            view = View.of(one.transform(view, op))
        else:
            position += 1
    return view.graph
