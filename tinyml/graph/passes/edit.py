"""Edits that passes are made of; each gives another graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tinyml.graph.ir import ABSENT, Graph, Op, Tensor


def without_op(graph: Graph, removed: Op) -> Graph:
    """The graph without one op; its outputs must not be read."""
    return graph.with_ops(op for op in graph.ops if op is not removed)


def with_op(graph: Graph, old: Op, new: Op) -> Graph:
    """The graph with one op replaced."""
    return graph.with_ops(new if op is old else op for op in graph.ops)


def with_tensor(graph: Graph, index: int, tensor: Tensor, *, traceable: bool) -> Graph:
    """The graph with tensor ``index`` replaced; without its source index unless ``traceable``."""
    tensors = (*graph.tensors[:index], tensor, *graph.tensors[index + 1 :])
    sources = graph.source_tensors
    if sources and not traceable:
        sources = (*sources[:index], -1, *sources[index + 1 :])
    return replace(graph, tensors=tensors, source_tensors=sources)


def added(graph: Graph, tensor: Tensor) -> tuple[Graph, int]:
    """The graph with one more tensor, and that tensor's index."""
    sources = (*graph.source_tensors, -1) if graph.source_tensors else ()
    channels = (*graph.source_channels, None) if graph.source_channels else ()
    tensors = (*graph.tensors, tensor)
    return replace(graph, tensors=tensors, source_tensors=sources, source_channels=channels), len(graph.tensors)


def reading(graph: Graph, instead: Mapping[int, int]) -> Graph:
    """The graph with every op reading ``instead[t]`` where it read ``t``."""
    return graph.with_ops(
        replace(op, inputs=tuple(instead.get(t, t) for t in op.inputs)) if instead.keys() & set(op.inputs) else op
        for op in graph.ops
    )


def bypassed(graph: Graph, op: Op) -> Graph:
    """The graph without ``op``, whose first output's readers read its first input instead."""
    return reading(without_op(graph, op), {op.outputs[0]: op.inputs[0]})


def compacted(graph: Graph) -> Graph:
    """The graph without tensors that nothing names, the others in the same order."""
    used = {*graph.inputs, *graph.outputs}
    for op in graph.ops:
        used.update(op.inputs, op.outputs)
    used.discard(ABSENT)
    if len(used) == len(graph.tensors):
        return graph
    kept = sorted(used)
    new = {old: position for position, old in enumerate(kept)} | {ABSENT: ABSENT}

    def renumbered(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(new[i] for i in indices)

    return replace(
        graph,
        tensors=tuple(graph.tensors[i] for i in kept),
        source_tensors=tuple(graph.source_tensors[i] for i in kept) if graph.source_tensors else (),
        source_channels=tuple(graph.source_channels[i] for i in kept) if graph.source_channels else (),
        ops=tuple(replace(op, inputs=renumbered(op.inputs), outputs=renumbered(op.outputs)) for op in graph.ops),
        inputs=renumbered(graph.inputs),
        outputs=renumbered(graph.outputs),
    )
