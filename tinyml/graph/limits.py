"""Which values an input of a network may have, where its element type does not say it."""

from __future__ import annotations

import numpy as np

from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.ops import GatherAttrs, TablesAttrs, ViewAttrs

_SAME_VALUES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


def input_limits(graph: Graph) -> list[tuple[float, float]]:
    """The lowest and the highest value of each input, in order.

    An input whose elements choose rows in a GATHER, as the words of an embedding do, has to name rows that there are:
    TFLite stops at others. Floats, which only stand before a QUANTIZE, are taken from -4 to 4.
    """
    return [_limits(graph, tensor) for tensor in graph.inputs]


def _limits(graph: Graph, tensor: int) -> tuple[float, float]:
    low, high = _of_type(graph.tensors[tensor].dtype)
    for op in graph.ops:
        if tensor not in op.inputs:
            continue
        if isinstance(op.attrs, GatherAttrs) and op.inputs[1] == tensor:
            low, high = max(low, 0), min(high, graph.tensors[op.inputs[0]].shape[op.attrs.axis] - 1)
        elif _moves(op):
            further = _limits(graph, op.outputs[0])
            low, high = max(low, further[0]), min(high, further[1])
    return low, high


def _moves(op: Op) -> bool:
    return op.kind in _SAME_VALUES or isinstance(op.attrs, ViewAttrs | TablesAttrs)


def _of_type(dtype: DType) -> tuple[float, float]:
    if dtype is DType.FLOAT32:
        return -4.0, 4.0
    if dtype is DType.BOOL:
        return 0, 1
    info = np.iinfo(dtype.numpy)
    return int(info.min), int(info.max)
