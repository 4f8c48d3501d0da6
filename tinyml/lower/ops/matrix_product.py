"""Ops with weights as the products of matrices that the kernels of every instruction set pack and prove."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Graph, Op, Rounding
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs, FullyConnectedAttrs
from tinyml.graph.quantisation import Range, activation_range
from tinyml.lower.ops import conv_2d, fully_connected
from tinyml.lower.ops.common import constant, first_input, first_output, optional_bias
from tinyml.lower.requant import Multipliers, fold_input_zero_point

Ints64 = npt.NDArray[np.int64]


class MatrixProduct(NamedTuple):
    """Weights [rows, inputs] and biases [rows], a row for each output channel, and how sums become int8.

    The input's zero point is folded into the biases, so that the inputs are -128..127 as they are.
    """

    weights: Ints64
    bias: Ints64
    multipliers: Multipliers
    rounding: Rounding
    zero_point: int
    clamps: Range


def of_convolution(graph: Graph, op: Op) -> MatrixProduct:
    """CONV_2D over patches, kernel row by kernel row; convolutions round twice in every runtime."""
    weights = constant(graph, op, 1)
    rows = weights.reshape(weights.shape[0], -1).astype(np.int64)
    clamps = activation_range(cast(Conv2DAttrs, op.attrs).activation, first_output(graph, op))
    return _of_rows(graph, op, rows, conv_2d.requantisation(graph, op), Rounding.DOUBLE, clamps)


def of_depthwise(graph: Graph, op: Op) -> MatrixProduct:
    """DEPTHWISE_CONV_2D: a row of ``kernel_h * kernel_w`` weights for each output channel."""
    weights = constant(graph, op, 1)[0].astype(np.int64)
    rows = weights.reshape(-1, weights.shape[-1]).T
    clamps = activation_range(cast(DepthwiseConv2DAttrs, op.attrs).activation, first_output(graph, op))
    return _of_rows(graph, op, rows, conv_2d.requantisation(graph, op), Rounding.DOUBLE, clamps)


def of_fully_connected(graph: Graph, op: Op) -> MatrixProduct:
    """FULLY_CONNECTED with the rounding that the runtime has which is matched.

    Raises NoIntegerMultiplierError as :func:`tinyml.lower.ops.fully_connected.requantisation` does.
    """
    attrs = cast(FullyConnectedAttrs, op.attrs)
    rows = constant(graph, op, 1).astype(np.int64)
    clamps = activation_range(attrs.activation, first_output(graph, op))
    return _of_rows(graph, op, rows, fully_connected.requantisation(graph, op, clamps), attrs.rounding, clamps)


def _of_rows(
    graph: Graph, op: Op, rows: Ints64, multipliers: Multipliers, rounding: Rounding, clamps: Range
) -> MatrixProduct:
    bias = fold_input_zero_point(optional_bias(graph, op), rows.sum(axis=1), first_input(graph, op).zero_point)
    zero_point = first_output(graph, op).zero_point
    return MatrixProduct(rows, bias.astype(np.int64), multipliers, rounding, zero_point, clamps)
