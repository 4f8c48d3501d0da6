"""TRANSPOSE_CONV as an ordinary convolution of stride 1 whose channels are a block of outputs for each input pixel.

Output (q_h * stride_h + r_h, q_w * stride_w + r_w) sees, of the taps, those whose rest fits; its inputs lie in one
window that all r_h and r_w share, at q + origin. So with weights of 0 for what an output does not see, the outputs of
q are ``stride_h`` rows of ``stride_w * out_c`` channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import TransposeConvAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import constant, first_input, first_output, optional_bias
from tinyml.lower.ops.conv_2d import requantisation
from tinyml.lower.ops.matrix_product import MatrixProduct
from tinyml.lower.ops.transpose_conv import Phase, phases
from tinyml.lower.requant import Multipliers, fold_input_zero_point


@dataclass(frozen=True, slots=True, eq=False)
class Upsampling:
    """The convolution: ``product`` of weights [stride_h * channels, window_h * window_w * in_c], row after row.

    A window begins ``pad_top`` rows above and ``pad_left`` columns before the input pixel that its outputs begin at;
    ``pixels`` windows are in a row, ``channels`` outputs of one row come from each.
    """

    product: MatrixProduct
    window_h: int
    window_w: int
    pad_top: int
    pad_left: int
    stride_h: int
    pixels: int
    channels: int

    @property
    def columns(self) -> int:
        """Pixels of a row that all its windows reach."""
        return self.pixels + self.window_w - 1


def uncut(graph: Graph, op: Op) -> str | None:
    """Why the op is no such convolution; None where it is."""
    stride, width = cast(TransposeConvAttrs, op.attrs).stride_w, first_output(graph, op).shape[2]
    return None if width % stride == 0 else f"rows of a multiple of {stride} outputs, here {width}"


def upsampling(graph: Graph, op: Op) -> Upsampling:
    """The convolution that ``op`` is, where it is :func:`uncut`."""
    attrs = cast(TransposeConvAttrs, op.attrs)
    x, output, weights = first_input(graph, op), first_output(graph, op), constant(graph, op, 1)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    rows, columns = phases(kernel_h, attrs.stride_h, attrs.pad_top), phases(kernel_w, attrs.stride_w, attrs.pad_left)
    (top, window_h), (left, window_w) = _window(rows), _window(columns)
    wide = np.zeros((len(rows), len(columns), out_c, window_h, window_w, in_c), np.int64)
    for r, row in enumerate(rows):
        for c, column in enumerate(columns):
            for i, tap_h in enumerate(row.taps):
                for j, tap_w in enumerate(column.taps):
                    wide[r, c, :, row.origin - top + i, column.origin - left + j] = weights[:, tap_h, tap_w]
    flat = wide.reshape(len(rows) * len(columns) * out_c, -1)
    outputs = len(rows) * len(columns)
    given = optional_bias(graph, op)
    bias = fold_input_zero_point(None if given is None else np.tile(given, outputs), flat.sum(axis=1), x.zero_point)
    scales = requantisation(graph, op)
    each = outputs if len(scales.multipliers) == out_c else 1
    multipliers = Multipliers(scales.multipliers * each, scales.shifts * each)
    clamps = activation_range(attrs.activation, output)
    product = MatrixProduct(flat, bias.astype(np.int64), multipliers, Rounding.DOUBLE, output.zero_point, clamps)
    return Upsampling(
        product, window_h, window_w, -top, -left, attrs.stride_h, output.shape[2] // attrs.stride_w,
        len(columns) * out_c,
    )  # fmt: skip


def _window(found: list[Phase]) -> tuple[int, int]:
    """Where the window that all phases share begins, and its length."""
    seen = [phase for phase in found if phase.taps]
    first = min(phase.origin for phase in seen)
    return first, max(phase.origin + len(phase.taps) for phase in seen) - first
