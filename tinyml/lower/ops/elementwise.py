"""Functions of one int8: a clamp where that is all they are, otherwise a table of 256 bytes on ``tml_lookup``."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from tinyml.graph.ir import DType, Graph, Op, Tensor
from tinyml.graph.ops import GeluAttrs, LeakyReluAttrs
from tinyml.graph.ops.lookup import LookupAttrs
from tinyml.lower.ops import arithmetic, curve_tables, tables
from tinyml.lower.ops.common import first_input, first_output, make_step, runs
from tinyml.lower.program import Const, ConstRef, In, Int, Out, Role, Step, Target

CURVES = frozenset(
    {
        "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE", "GELU", "EXP",
        "LOG", "RSQRT", "SQRT", "ABS", "DIV", "LOOKUP",
    }
)  # fmt: skip
"""The ops whose output is a function of one value of their input."""


def table_of(graph: Graph, op: Op) -> tables.Table:
    """The op's results for its input's values, ascending."""
    x, out = first_input(graph, op), first_output(graph, op)
    match op.kind:
        case "LOGISTIC":
            return tables.logistic(x, out)
        case "TANH":
            return tables.tanh(x, out)
        case "HARD_SWISH":
            return tables.hard_swish(x, out)
        case "LEAKY_RELU":
            return tables.leaky_relu(x, out, cast(LeakyReluAttrs, op.attrs).alpha)
        case "RELU":
            return tables.relu(x, out, 0.0, math.inf)
        case "RELU6":
            return tables.relu(x, out, 0.0, 6.0)
        case "RELU_N1_TO_1":
            return tables.relu(x, out, -1.0, 1.0)
        case "QUANTIZE":
            return tables.requantise(x, out)
        case "GELU":
            return curve_tables.gelu(x, out, cast(GeluAttrs, op.attrs).approximate)
        case "EXP":
            return curve_tables.exp(x, out)
        case "LOG":
            return curve_tables.log(x, out)
        case "RSQRT":
            return curve_tables.rsqrt(x, out)
        case "SQRT":
            return curve_tables.sqrt(x, out)
        case "ABS":
            return curve_tables.absolute(x, out)
        case "LOOKUP":
            return list(cast(LookupAttrs, op.attrs).table)
        case "DIV":
            return arithmetic.quotients(graph, op)
    raise ValueError(f"{op.kind} is not a function of one value")


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of any function of one 8-bit value; each is correct in place."""
    x, out = first_input(graph, op), first_output(graph, op)
    table = table_of(graph, op)
    values = tables.input_values(x)
    low, high = min(table), max(table)
    clamped = [max(low, min(high, value)) for value in values]
    if x.dtype is out.dtype is DType.INT8 and table == clamped:
        return make_step(
            graph,
            op,
            kernel="tml_clamp",
            header="tml_elementwise.h",
            inputs=op.inputs[:1],
            in_place=((0, 0),),
            args=(In(0), Out(0), *runs(x.elements), Int("out_min", low), Int("out_max", high)),
        )
    return make_step(
        graph,
        op,
        kernel="tml_lookup",
        header="tml_elementwise.h",
        inputs=op.inputs[:1],
        in_place=((0, 0),),
        args=(In(0), Out(0), ConstRef(0), *runs(x.elements)),
        consts=(Const("table", by_bit_pattern(table, x, out), Role.TABLE, align_bytes=1),),
    )


def by_bit_pattern(table: tables.Table, x: Tensor, out: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The table in the order of the input's bit patterns 0 to 255, its results as bytes."""
    ordered = np.zeros(256, np.uint8)
    patterns = np.array(list(tables.input_values(x)), x.dtype.numpy).view(np.uint8)
    ordered[patterns] = np.array(table, out.dtype.numpy).view(np.uint8)
    return ordered
