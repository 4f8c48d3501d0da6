"""Adds ops that compare, choose and convert to a model under construction, as the converter would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.support.move_builder import like, numbers
from tests.support.tflite_builder import Builder

_OPTIONS = {"MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions"}


def of_two(b: Builder, kind: str, x: int, y: int) -> int:
    """MAXIMUM, MINIMUM, comparisons, LOGICAL_AND, LOGICAL_OR."""
    shape = np.broadcast_shapes(b.values[x].shape, b.values[y].shape)
    options = _OPTIONS.get(kind) or "".join(word.capitalize() for word in kind.split("_")) + "Options"
    output = like(b, x, shape) if kind in _OPTIONS else b.tensor(shape, dtype="bool", scale=None)
    return b.op(kind, [x, y], [output], options)


def logical_not(b: Builder, x: int) -> int:
    """LOGICAL_NOT."""
    return b.op("LOGICAL_NOT", [x], [like(b, x, b.values[x].shape)], "LogicalNotOptions")


def select(b: Builder, condition: int, x: int, y: int, *, first: bool = False) -> int:
    """SELECT_V2, or SELECT where ``first``."""
    shapes = [b.values[i].shape for i in (condition, x, y)]
    output = like(b, x, shapes[1] if first else np.broadcast_shapes(*shapes))
    kind, options = ("SELECT", "SelectOptions") if first else ("SELECT_V2", "SelectV2Options")
    return b.op(kind, [condition, x, y], [output], options)


def arg(b: Builder, kind: str, x: int, axis: int, dtype: str = "int32") -> int:
    """ARG_MAX or ARG_MIN."""
    shape = list(b.values[x].shape)
    del shape[axis]
    output = b.tensor(shape, dtype=dtype, scale=None)
    options = {"ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions"}[kind]
    code = b.op(kind, [x, numbers(b, axis)], [output], options, outputType={"int32": 2, "int64": 4}[dtype])
    return code


def top_k(b: Builder, x: int, count: int) -> list[int]:
    """TOPK_V2: the elements and their positions."""
    shape = (*b.values[x].shape[:-1], count)
    outputs = [like(b, x, shape), b.tensor(shape, dtype="int32", scale=None)]
    b.op("TOPK_V2", [x, numbers(b, count)], outputs, "TopKV2Options")
    return outputs


def reduce(b: Builder, kind: str, x: int, axes: Sequence[int], *, keep_dims: bool = False) -> int:
    """REDUCE_MAX or REDUCE_MIN."""
    kept = [1 if d in axes else n for d, n in enumerate(b.values[x].shape) if keep_dims or d not in axes]
    return b.op(kind, [x, numbers(b, axes)], [like(b, x, kept)], "ReducerOptions", keepDims=keep_dims)


def cast(b: Builder, x: int, dtype: str) -> int:
    """CAST; an int8 output has a quantisation, which it does not use."""
    output = b.tensor(b.values[x].shape, dtype=dtype, scale=0.05 if dtype == "int8" else None)
    return b.op("CAST", [x], [output], "CastOptions")


def every_choice(b: Builder, x: int) -> list[int]:
    """All of them, on int8 ``x`` of shape [1, 4]: results of any type."""
    half = b.constant(
        np.array([3, -20, 100, -128], np.int8), scale=b.values[x].scale, zero_point=b.values[x].zero_point
    )
    y = of_two(b, "MINIMUM", of_two(b, "MAXIMUM", x, half), x)
    above = of_two(b, "LOGICAL_AND", of_two(b, "GREATER", y, half), of_two(b, "LESS_EQUAL", half, x))
    below = of_two(b, "LOGICAL_OR", of_two(b, "LESS", x, half), of_two(b, "GREATER_EQUAL", y, x))
    same = of_two(b, "NOT_EQUAL", logical_not(b, above), of_two(b, "EQUAL", x, half))
    z = select(b, same, select(b, below, x, y, first=True), half)
    outside = arg(b, "ARG_MAX", z, 1), arg(b, "ARG_MIN", z, 1, "int64")
    elements, places = top_k(b, z, 3)
    z = of_two(b, "MAXIMUM", reduce(b, "REDUCE_MAX", z, [1]), reduce(b, "REDUCE_MIN", z, [1]))
    return [*outside, elements, places, cast(b, z, "int32")]
