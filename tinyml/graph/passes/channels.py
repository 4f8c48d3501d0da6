"""How channels, the last dimension of activations, go through ops; what the two channel passes need to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.graph.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tinyml.graph.ir import ABSENT, Graph, Op, Rounding
from tinyml.graph.ops import (
    BinaryAttrs,
    ConcatenationAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    PadAttrs,
    PoolAttrs,
    ReduceAttrs,
)
from tinyml.graph.quantisation import activation_range, effective_scales, reference_single_rounding

Map = npt.NDArray[np.int64]
"""Row ``c`` lists the output channels that are made of input channel ``c`` alone."""

_ELEMENTWISE = ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE")
_RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


def mixes_channels(op: Op) -> bool:
    """Whether each output channel of ``op`` is a weighted sum over all input channels: it can drop any of either."""
    return isinstance(op.attrs, FullyConnectedAttrs) or (isinstance(op.attrs, Conv2DAttrs) and op.attrs.groups == 1)


def channel_map(graph: Graph, op: Op, position: int) -> Map | None:
    """Where the channels of an input of a channel-wise op go; None where the op is not channel-wise in that input."""
    x, y = graph.tensors[op.inputs[position]].shape, graph.tensors[op.outputs[0]].shape
    if not x or not y:
        return None
    identity = np.arange(x[-1], dtype=np.int64)[:, None]
    match op.attrs:
        case DepthwiseConv2DAttrs(multiplier=multiplier):
            return identity * multiplier + np.arange(multiplier)
        case PoolAttrs():
            return identity
        case BinaryAttrs():
            return identity if x[-1] == y[-1] else None
        case PadAttrs(paddings=paddings):
            return identity if paddings[-1] == (0, 0) else None
        case ReduceAttrs(axes=axes):
            return identity if len(x) - 1 not in axes else None
        case ConcatenationAttrs(axis=axis) if len(x) == len(y):
            before = sum(graph.tensors[i].shape[-1] for i in op.inputs[:position]) if axis == len(y) - 1 else 0
            return identity + before
    if op.kind in _ELEMENTWISE:
        return identity
    if op.kind in _RESHAPES and y[-1] % x[-1] == 0:
        return identity + np.arange(0, y[-1], x[-1])
    return None


def weights_by_output(graph: Graph, op: Op) -> npt.NDArray[np.int8]:
    """The weights of a convolution or dense layer, [output channels, ...]."""
    data = graph.tensors[op.inputs[1]].data
    assert data is not None
    result: npt.NDArray[np.int8] = np.moveaxis(data, 3, 0) if isinstance(op.attrs, DepthwiseConv2DAttrs) else data
    return result


def bias_of(graph: Graph, op: Op) -> npt.NDArray[np.int32]:
    """The bias [output channels], zeros where there is none."""
    if op.inputs[2] == ABSENT:
        return np.zeros(graph.tensors[op.outputs[0]].shape[-1], np.int32)
    data = graph.tensors[op.inputs[2]].data
    assert data is not None
    return data


def constant_channels(graph: Graph, producer: Callable[[int], Op | None], tensor: int) -> dict[int, int]:
    """The channels of ``tensor`` that hold one value everywhere, whatever the input: {channel: value}.

    They come from output channels whose weights are all zero, through pools and reshapes.
    """
    op, after = producer(tensor), []
    while op is not None and (isinstance(op.attrs, PoolAttrs) or op.kind in _RESHAPES):
        after.append(op)
        op = producer(op.inputs[0])
    if op is None or not isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs | FullyConnectedAttrs):
        return {}
    weights, bias = weights_by_output(graph, op), bias_of(graph, op)
    dead = np.flatnonzero(~weights.reshape(len(weights), -1).any(axis=1))
    values = {int(c): requantised(graph, op, int(bias[c]), int(c)) for c in dead}
    for later in reversed(after):
        where = channel_map(graph, later, 0)
        if where is None:
            return {}
        if isinstance(later.attrs, PoolAttrs):
            clamps = activation_range(later.attrs.activation, graph.tensors[later.outputs[0]])
            values = {c: max(clamps.low, min(clamps.high, value)) for c, value in values.items()}
        values = {int(o): value for c, value in values.items() for o in where[c]}
    return values


def requantised(graph: Graph, op: Op, accumulator: int, channel: int) -> int:
    """The int8 that a convolution or dense layer makes of an accumulator of one output channel."""
    attrs: Any = op.attrs
    x, y, weights = (graph.tensors[i] for i in (op.inputs[0], op.outputs[0], op.inputs[1]))
    assert weights.quant is not None
    scale = effective_scales(x.scale, weights.quant, y.scale, y.shape[-1])[channel]
    if isinstance(attrs, FullyConnectedAttrs) and attrs.rounding is Rounding.SINGLE:
        value = reference_single_rounding(accumulator, scale)
    else:
        value = multiply_by_quantized_multiplier(accumulator, *quantize_multiplier(scale))
    clamps = activation_range(attrs.activation, y)
    return max(clamps.low, min(clamps.high, value + y.zero_point))
