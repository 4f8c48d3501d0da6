"""Which codes a tensor can hold, proven from the ops that make it."""

from __future__ import annotations

from typing import cast

from tinyml.graph.ir import Activation, DType, Graph, Op
from tinyml.graph.ops import PoolAttrs
from tinyml.lower.fuse import function_of_one

_CHOOSE = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V"})
"""Ops whose output holds elements of their first input and nothing else."""


def possible_values(graph: Graph, tensor: int) -> frozenset[int]:
    """The int8 codes that ``tensor`` can hold: all 256 where nothing is known of it.

    Functions of one value narrow them to the results of their table; what only moves or chooses elements keeps them.
    """
    producers = graph.producers()
    tables: list[tuple[int, ...]] = []
    while tensor in producers and graph.tensors[tensor].dtype is DType.INT8:
        op = graph.ops[producers[tensor]]
        if _chooses(op):
            tensor = op.inputs[0]
            continue
        function = function_of_one(graph, op) if len(op.outputs) == 1 else None
        if function is None:
            break
        tensor, table = function
        tables.append(table)
    values = frozenset(range(-128, 128))
    for table in reversed(tables):
        values = frozenset(table[value + 128] for value in values)
    return values


def _chooses(op: Op) -> bool:
    if op.kind == "MAX_POOL_2D":
        return cast(PoolAttrs, op.attrs).activation is Activation.NONE
    return op.kind in _CHOOSE
