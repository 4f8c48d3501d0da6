"""Folds input channels that hold a constant into the bias of the layer that reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import ABSENT, DType, Graph, Op, Quant, Tensor
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs, FullyConnectedAttrs
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.channels import bias_of, constant_channels, mixes_channels
from tinyml.graph.passes.edit import added, with_op


class FoldConstantChannels(Pass):
    """``sum(w * (k - zero_point))`` of a channel that always holds ``k`` goes to the bias, and its weights become 0.

    Channels are constant where the layer before has only zero weights for them, as pruning and dead ReLUs leave them.
    In a padded convolution the sum differs at the border, unless ``k`` is the zero point, which is padded with. The
    channels themselves are removed by :class:`~tinyml.graph.passes.remove_unread_channels.RemoveUnreadChannels`.
    """

    name = "fold-constant-channels"
    forward: ClassVar[bool] = True

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` has weights that only ever meet a constant."""
        return bool(_foldable(view, op))

    def transform(self, view: View, op: Op) -> Graph:
        """``op`` with other weights and bias."""
        graph = view.graph
        weights, x = graph.tensors[op.inputs[1]], graph.tensors[op.inputs[0]]
        assert weights.data is not None and weights.quant is not None
        data, bias = weights.data.copy(), bias_of(graph, op).astype(np.int64)
        for channel, value in _foldable(view, op).items():
            columns = _weights_of(op, data, x.shape[-1], channel)
            bias += (value - x.zero_point) * _sums(op, columns, len(bias), channel)
            columns[...] = 0
        graph, new_weights = added(graph, replace(weights, data=data))
        graph, new_bias = added(graph, _bias_tensor(graph, op, bias.astype(np.int32), weights.quant, x.scale))
        return with_op(graph, op, replace(op, inputs=(op.inputs[0], new_weights, new_bias)))


def _foldable(view: View, op: Op) -> dict[int, int]:
    graph = view.graph
    depthwise = isinstance(op.attrs, DepthwiseConv2DAttrs)
    if not (depthwise or mixes_channels(op)):
        return {}
    x, data = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]].data
    assert data is not None
    if isinstance(op.attrs, FullyConnectedAttrs) and data.shape[1] % x.shape[-1]:
        return {}
    padded = isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs) and any(
        (op.attrs.pad_top, op.attrs.pad_bottom, op.attrs.pad_left, op.attrs.pad_right)
    )
    return {
        channel: value
        for channel, value in constant_channels(graph, view.producer, op.inputs[0]).items()
        if (value == x.zero_point or not padded) and _weights_of(op, data, x.shape[-1], channel).any()
    }


def _weights_of(op: Op, data: npt.NDArray[np.int8], channels: int, channel: int) -> npt.NDArray[np.int8]:
    """The view of all weights that are multiplied with one input channel."""
    match op.attrs:
        case DepthwiseConv2DAttrs(multiplier=multiplier):
            return data[..., channel * multiplier : (channel + 1) * multiplier]
        case FullyConnectedAttrs():
            return data[:, channel::channels]
    return data[..., channel]


def _sums(op: Op, weights: npt.NDArray[np.int8], outputs: int, channel: int) -> npt.NDArray[np.int64]:
    """What those weights add up to for each output channel."""
    match op.attrs:
        case DepthwiseConv2DAttrs(multiplier=multiplier):
            result = np.zeros(outputs, np.int64)
            result[channel * multiplier : (channel + 1) * multiplier] = weights.sum(axis=(0, 1, 2), dtype=np.int64)
            return result
    totals: npt.NDArray[np.int64] = weights.reshape(outputs, -1).sum(axis=1, dtype=np.int64)
    return totals


def _bias_tensor(graph: Graph, op: Op, data: npt.NDArray[np.int32], weights: Quant, input_scale: float) -> Tensor:
    if op.inputs[2] != ABSENT:
        return replace(graph.tensors[op.inputs[2]], data=data)
    scales = tuple(float(np.float32(input_scale) * np.float32(s)) for s in weights.scales)
    return Tensor(f"{op.name}/bias", data.shape, DType.INT32, Quant(scales, (0,) * len(scales)), data)
