"""Ops that only move elements, on ``tml_move`` and ``tml_move_tables``, or on nothing where a pointer does."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import GatherAttrs, ViewAttrs
from tinyml.graph.ops.move import MAX_LOOPS, MAX_TABLES, TablesAttrs, fitted, moved
from tinyml.lower.ops.common import first_input, make_step, runs
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Ints, Out, Role, Step, Target

ALIAS_ALIGN_BYTES = 4
"""Where tensors may begin: kernels load words."""


def source(graph: Graph, op: Op, position: int = 0) -> tuple[Arg, tuple[int, ...], tuple[Const, ...]]:
    """The argument for an input that may be constant, the activations and the constants for it."""
    tensor = graph.tensor(op.inputs[position])
    if tensor.data is None:
        return In(0), (op.inputs[position],), ()
    return ConstRef(0), (), (Const("input", as_bytes(tensor.data), Role.WEIGHTS),)


def as_bytes(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array with a type that C has: booleans are bytes."""
    return data.view(np.uint8) if data.dtype == np.bool_ else data


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step: nested loops over a strided view, or over tables of offsets."""
    attrs, element_bytes = moved(op.attrs), first_input(graph, op).dtype.size_bytes
    argument, inputs, consts = source(graph, op)
    if isinstance(attrs, ViewAttrs):
        missing = MAX_LOOPS - len(attrs.sizes)
        return make_step(
            graph,
            op,
            kernel="tml_move",
            header="tml_move.h",
            inputs=inputs,
            consts=consts,
            args=(
                argument,
                Out(0),
                Ints("sizes", (1,) * missing + attrs.sizes),
                Ints("strides", (0,) * missing + attrs.strides),
                Int("offset", attrs.offset),
                Int("element_bytes", element_bytes),
                *runs(prod(attrs.sizes))[1:],
            ),
        )
    tables, run = table_runs(attrs)
    padded = [(0,)] * (MAX_TABLES - len(tables)) + tables
    offsets = np.array([offset * element_bytes for table in padded for offset in table], np.int32)
    return make_step(
        graph,
        op,
        kernel="tml_move_tables",
        header="tml_move.h",
        inputs=inputs,
        consts=(*consts, Const("offsets", offsets, Role.TABLE)),
        args=(
            argument,
            Out(0),
            ConstRef(len(consts)),
            Ints("sizes", tuple(map(len, padded))),
            Int("run_bytes", run * element_bytes),
        ),
    )


def build_gather(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of GATHER: like any other where the indices are constant, otherwise ``tml_gather``."""
    if not isinstance(op.attrs, GatherAttrs):
        return build(graph, op, target)
    x, indices = first_input(graph, op), graph.tensor(op.inputs[1])
    argument, inputs, consts = source(graph, op)
    axis = op.attrs.axis
    return make_step(
        graph,
        op,
        kernel="tml_gather",
        header="tml_move.h",
        inputs=(*inputs, op.inputs[1]),
        consts=consts,
        args=(
            argument,
            In(len(inputs)),
            Out(0),
            Int("outer", prod(x.shape[:axis])),
            Int("rows", x.shape[axis]),
            Int("count", indices.elements),
            Int("row_bytes", prod(x.shape[axis + 1 :]) * x.dtype.size_bytes),
        ),
    )


def table_runs(attrs: TablesAttrs) -> tuple[list[tuple[int, ...]], int]:
    """The tables but for a last one of consecutive elements, which is a run to copy, and how long that is."""
    tables = list(attrs.tables)
    last = tables[-1]
    if last == tuple(range(len(last))):
        return tables[:-1], len(last)
    return tables, 1


@lru_cache(maxsize=1024)
def rows_of(attrs: ViewAttrs, shape: tuple[int, ...], count: int) -> ViewAttrs | None:
    """The view of ``count`` rows of an image of ``shape`` that gives as many rows of what ``attrs`` gives.

    None where a row of the output is not made of the same row of the input, each in the same way.
    """
    height, row = shape[1], prod(shape[2:])
    rows = attrs.flat().reshape(height, -1)
    first = rows[0]
    alike = first.min() >= 0 and first.max() < row and np.array_equal(rows, first + row * np.arange(height)[:, None])
    found = fitted(rows[:count].reshape(-1)) if alike else None
    return found if found is not None and len(found.sizes) <= MAX_LOOPS else None


def is_piece(graph: Graph, op: Op) -> bool:
    """Whether the output of ``op`` is one piece of its input, aligned: a pointer into the input can stand for it."""
    if not isinstance(op.attrs, ViewAttrs) or not op.attrs.contiguous or first_input(graph, op).is_constant:
        return False
    return piece_offset_bytes(graph, op) % ALIAS_ALIGN_BYTES == 0


def piece_offset_bytes(graph: Graph, op: Op) -> int:
    """Where the output of ``op``, which moves nothing, begins in its input."""
    return op.attrs.offset * first_input(graph, op).dtype.size_bytes if isinstance(op.attrs, ViewAttrs) else 0
