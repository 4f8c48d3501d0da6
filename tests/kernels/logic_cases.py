"""Random ops that compare, choose and convert: shapes and types from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.kernels.move_cases import Draw
from tests.support import logic_builder as lb
from tests.support.tflite_builder import Builder
from tinyml.graph.ops.logic import OF_TWO

ORDERED = ("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "MAXIMUM", "MINIMUM")


def _operand(b: Builder, d: Draw, shape: tuple[int, ...], dtype: str, quant: tuple[float, int] | None = None) -> int:
    """An input, or a constant; dimensions may be 1 or missing in front."""
    kept = tuple(1 if d.chance(0.2) else n for n in shape[d.number(0, 1) * d.number(0, len(shape)) :])
    scale, zero_point = quant or (float(np.exp(d.rng.uniform(-9, -0.1))), d.number(-128, 127))
    if d.chance(0.8):
        return b.input(kept, scale=scale if dtype == "int8" else None, zero_point=zero_point, dtype=dtype)
    values = (
        d.rng.integers(0, 2, kept).astype(bool) if dtype == "bool" else d.rng.integers(-128, 128, kept).astype(dtype)
    )
    return b.constant(values, scale=scale if dtype == "int8" else None, zero_point=zero_point)


def of_two(kind: str) -> Callable[[Builder, Draw], int]:
    def case(b: Builder, d: Draw) -> int:
        types = (
            ["bool"] if kind.startswith("LOGICAL") else ["int8", "int8", "int32", *(["bool"] * (kind not in ORDERED))]
        )
        dtype, shape = types[d.number(0, len(types) - 1)], d.shape(d.number(1, 4))
        quant = (0.1, d.number(-128, 127)) if kind in ("MAXIMUM", "MINIMUM") or d.chance(0.3) else None
        return lb.of_two(b, kind, b.input(shape, **_like(dtype, quant)), _operand(b, d, shape, dtype, quant))

    return case


def _like(dtype: str, quant: tuple[float, int] | None) -> dict[str, object]:
    scale, zero_point = quant or (0.02, 3)
    return {"dtype": dtype, "scale": scale if dtype == "int8" else None, "zero_point": zero_point}


def select(*, first: bool) -> Callable[[Builder, Draw], int]:
    def case(b: Builder, d: Draw) -> int:
        shape, dtype = d.shape(d.number(1, 4)), ["int8", "int8", "int32", "bool"][d.number(0, 3)]
        if first:
            condition = b.input([shape, shape[:1], ()][d.number(0, 2)], scale=None, dtype="bool")
            x, y = (b.input(shape, **_like(dtype, None)) for _ in range(2))
        else:
            condition = _operand(b, d, shape, "bool")
            x, y = b.input(shape, **_like(dtype, None)), _operand(b, d, shape, dtype, (0.02, 3))
        return lb.select(b, condition, x, y, first=first)

    return case


def arg(kind: str) -> Callable[[Builder, Draw], int]:
    def case(b: Builder, d: Draw) -> int:
        shape = d.shape(d.number(1, 4))
        x = b.input(shape, **_like(["int8", "int32"][d.number(0, 1)], None))
        return lb.arg(b, kind, x, d.number(0, len(shape) - 1), ["int32", "int64"][d.number(0, 1)])

    return case


def extreme(kind: str) -> Callable[[Builder, Draw], int]:
    def case(b: Builder, d: Draw) -> int:
        shape = d.shape(d.number(1, 4))
        axes = sorted(d.rng.choice(len(shape), d.number(1, len(shape)), replace=False).tolist())
        x = b.input(shape, **_like(["int8", "int32"][d.number(0, 1)], None))
        return lb.reduce(b, kind, x, axes, keep_dims=d.chance())

    return case


def top_k(b: Builder, d: Draw) -> list[int]:
    """Rows of many different values, or of many equal ones; either result or both."""
    shape = (*d.shape(d.number(0, 3)), d.number(1, 40))
    x = b.input(shape, **_like(["int8", "int32"][d.number(0, 1)], None))
    if d.chance():
        few = b.constant(np.array(d.number(-120, 0), b.values[x].dtype), scale=b.values[x].scale or None, zero_point=3)
        x = lb.of_two(b, "MINIMUM", x, few)
    outputs = lb.top_k(b, x, d.number(1, shape[-1]))
    return [outputs, outputs[:1], outputs[1:]][d.number(0, 2)]


def cast(b: Builder, d: Draw) -> int:
    source, target = (["int8", "int32", "bool"][d.number(0, 2)] for _ in range(2))
    return lb.cast(b, b.input(d.shape(d.number(1, 4)), **_like(source, None)), target)


def arithmetic(kind: str) -> Callable[[Builder, Draw], int]:
    """Of int32, small enough that the reference does not overflow."""

    def case(b: Builder, d: Draw) -> int:
        shape = d.shape(d.number(1, 4))
        x = lb.cast(b, b.input(shape, scale=0.1), "int32")
        y = lb.cast(b, b.input(tuple(1 if d.chance(0.3) else n for n in shape), scale=0.1), "int32")
        output = b.tensor(shape, dtype="int32", scale=None)
        return b.op(kind, [x, y], [output], f"{kind.capitalize()}Options")

    return case


CASES: dict[str, Callable[[Builder, Draw], int | list[int]]] = {
    **{kind: of_two(kind) for kind in OF_TWO},
    "SELECT": select(first=True),
    "SELECT_V2": select(first=False),
    **{kind: arg(kind) for kind in ("ARG_MAX", "ARG_MIN")},
    **{kind: extreme(kind) for kind in ("REDUCE_MAX", "REDUCE_MIN")},
    "LOGICAL_NOT": lambda b, d: lb.logical_not(b, b.input(d.shape(d.number(1, 4)), scale=None, dtype="bool")),
    "CAST": cast,
    "TOPK_V2": top_k,
    **{kind: arithmetic(kind) for kind in ("ADD", "SUB", "MUL")},
}
