"""TRANSPOSE_CONV on ``tml_transpose_conv``: one ordinary convolution for each phase of the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import TransposeConvAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import constant, first_input, first_output, make_step, optional_bias
from tinyml.lower.ops.conv_2d import requantisation
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Ints, Out, Role, Scratch, Step, Target
from tinyml.lower.requant import fold_input_zero_point

_LEAST_WEIGHTS = 8


@dataclass(frozen=True, slots=True)
class Phase:
    """Which taps of a kernel output rows (columns) of one rest see, by the input row they read, ascending.

    Output ``q * stride + rest`` reads the inputs ``q + origin``, ``q + origin + 1``, …, one for each tap.
    """

    taps: tuple[int, ...]
    origin: int


def phases(kernel: int, stride: int, pad: int) -> list[Phase]:
    """The phases of one dimension: output ``y`` reads input ``i`` with tap ``y + pad - i * stride``."""
    found = []
    for rest in range(stride):
        taps = tuple(tap for tap in reversed(range(kernel)) if (rest + pad - tap) % stride == 0)
        found.append(Phase(taps, (rest + pad - taps[0]) // stride if taps else 0))
    return found


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step."""
    attrs = cast(TransposeConvAttrs, op.attrs)
    x, output = first_input(graph, op), first_output(graph, op)
    weights = constant(graph, op, 1)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    rows, columns = phases(kernel_h, attrs.stride_h, attrs.pad_top), phases(kernel_w, attrs.stride_w, attrs.pad_left)
    parts = [weights[:, list(row.taps)][:, :, list(column.taps)] for row in rows for column in columns]
    starts = np.cumsum([0, *(part.size for part in parts)])[:-1]
    given = optional_bias(graph, op)
    bias = [fold_input_zero_point(given, p.astype(np.int64).sum(axis=(1, 2, 3)), x.zero_point) for p in parts]
    requant = requantisation(graph, op)
    clamps = activation_range(attrs.activation, output)
    packed = np.concatenate([part.reshape(-1) for part in parts])
    # GCC 12 warns of loops of four that never run on fewer weights.
    packed = np.pad(packed, (0, max(0, _LEAST_WEIGHTS - len(packed))))
    consts = (
        Const("weights", packed, Role.WEIGHTS),
        Const("bias", np.stack(bias), Role.BIAS),
        *requant.consts(),
    )
    ints = {
        "in_h": x.shape[1], "in_w": x.shape[2], "in_c": in_c,
        "out_h": output.shape[1], "out_w": output.shape[2], "out_c": out_c,
        "stride_h": attrs.stride_h, "stride_w": attrs.stride_w,
        "in_zero_point": x.zero_point, "out_zero_point": output.zero_point,
        "out_min": clamps.low, "out_max": clamps.high,
        "max_shift": requant.max_shift,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), Scratch(), *(ConstRef(i) for i in range(4)),
        Ints("starts", tuple(int(start) for start in starts)),
        Ints("taps_h", tuple(len(row.taps) for row in rows)),
        Ints("taps_w", tuple(len(column.taps) for column in columns)),
        Ints("origins_h", tuple(row.origin for row in rows)),
        Ints("origins_w", tuple(column.origin for column in columns)),
        *(Int(name, value) for name, value in ints.items()),
    )  # fmt: skip
    largest = max(len(row.taps) for row in rows) * max(len(column.taps) for column in columns) * in_c
    return make_step(
        graph, op, kernel="tml_transpose_conv", header="tml_transpose_conv.h", inputs=op.inputs[:1], args=args,
        consts=consts, scratch_bytes=largest,
    )  # fmt: skip
