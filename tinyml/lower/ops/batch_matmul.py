"""BATCH_MATMUL on ``tml_batch_matmul``.

Sources: TFLite ``kernels/batch_matmul.cc`` (Prepare), ``kernels/kernel_util.cc`` (GetQuantizedConvolutionMultipler).
"""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import BatchMatMulAttrs
from tinyml.graph.ops.batch_matmul import Product, product_of
from tinyml.lower.ops.binary import operands
from tinyml.lower.ops.common import first_output, make_step
from tinyml.lower.program import Arg, Int, Ints, Out, Scratch, Step, Target

BATCHES = 3


def product(graph: Graph, op: Op) -> Product:
    """The sizes of an op that keeps its rules."""
    found = product_of(graph, op)
    assert found is not None
    return found


def multiplier(graph: Graph, op: Op) -> tuple[int, int]:
    """Multiplier and shift of the sums; TFLite multiplies the input scales in float32."""
    a, b = (np.float32(graph.tensor(i).scale) for i in op.inputs)
    return quantize_multiplier(float(a * b) / first_output(graph, op).scale)


def batch_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Elements from one matrix to the next along each of :data:`BATCHES` leading dimensions, 0 where it is repeated."""
    leading = (1,) * (BATCHES + 2 - len(shape)) + shape[:-2]
    strides: list[int] = []
    step = shape[-2] * shape[-1]
    for size in reversed(leading):
        strides.insert(0, 0 if size == 1 else step)
        step *= size
    return tuple(strides)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step."""
    attrs = cast(BatchMatMulAttrs, op.attrs)
    sizes = product(graph, op)
    a, b = (graph.tensor(i) for i in op.inputs)
    arguments, inputs, consts = operands(graph, op)
    factor, shift = multiplier(graph, op)
    ints = {
        "rows": sizes.rows, "depth": sizes.depth, "columns": sizes.columns,
        "adj_x": int(attrs.adj_x), "adj_y": int(attrs.adj_y),
        "a_zero_point": a.zero_point, "b_zero_point": b.zero_point,
        "out_zero_point": first_output(graph, op).zero_point,
        "multiplier": factor, "shift": shift,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        *arguments, Out(0), Scratch(),
        Ints("batches", (1,) * (BATCHES - len(sizes.batch)) + sizes.batch),
        Ints("strides_a", batch_strides(a.shape)),
        Ints("strides_b", batch_strides(b.shape)),
        *(Int(name, value) for name, value in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_batch_matmul", header="tml_batch_matmul.h", inputs=inputs, args=args, consts=consts,
        scratch_bytes=4 * sizes.rows + (0 if attrs.adj_y else 2 * sizes.depth),
    )  # fmt: skip
