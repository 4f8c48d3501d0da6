"""Folds reordered channels into the weights that make or read them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import ABSENT, Graph, Op, Quant, Tensor
from tinyml.graph.ops import Conv2DAttrs, FullyConnectedAttrs
from tinyml.graph.ops.move import moved
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.channels import mixes_channels
from tinyml.graph.passes.edit import added, bypassed, with_op, without_op
from tinyml.graph.passes.merge_moves import moves

Order = npt.NDArray[np.int64]


class FoldChannelMoves(Pass):
    """A choice or an order of channels, as of GATHER or of a channel shuffle, becomes an order of weights.

    Where a convolution or a dense layer makes what is reordered, and nothing else reads it, it makes just the channels
    that are chosen. Where such layers read all channels in another order, they take their weights in that order. A
    dense layer also reads a transposed image.
    """

    name = "fold-channel-moves"

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` reorders what a layer with weights makes or reads."""
        return moves(op) and not view.tensor(op.inputs[0]).is_constant and (_made(view, op) or _read(view, op))

    def transform(self, view: View, op: Op) -> Graph:
        """Without ``op``, with other weights."""
        order = channel_order(view.graph, op)
        producer = view.producer(op.inputs[0])
        if _made(view, op):
            assert order is not None and producer is not None
            graph, made = _making(view.graph, producer, order)
            return with_op(without_op(graph, op), producer, replace(made, outputs=op.outputs))
        graph, instead = view.graph, {}
        for reader in view.readers(op.outputs[0]):
            columns = _columns(view.graph, op, reader)
            assert columns is not None
            graph, changed = _reading(graph, reader, columns)
            instead[reader.name] = changed
        graph = graph.with_ops(instead.get(o.name, o) for o in graph.ops)
        return bypassed(graph, op)


def channel_order(graph: Graph, op: Op) -> Order | None:
    """The channel of the input that each channel of the output is; None where ``op`` moves more than channels."""
    x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
    if not x or len(x) != len(y) or x[:-1] != y[:-1]:
        return None
    rows = moved(op.attrs).flat().reshape(-1, y[-1])
    order: Order = rows[0]
    same = order.max() < x[-1] and np.array_equal(rows, np.arange(len(rows))[:, None] * x[-1] + order)
    return order if same else None


def _made(view: View, op: Op) -> bool:
    """Whether the layer that makes the input of ``op`` can make its output instead, with no more work."""
    producer, order = view.producer(op.inputs[0]), channel_order(view.graph, op)
    if producer is None or order is None or not mixes_channels(producer) or view.is_output(op.inputs[0]):
        return False
    x, y = view.tensor(op.inputs[0]), view.tensor(op.outputs[0])
    return len(view.readers(op.inputs[0])) == 1 and len(order) <= x.shape[-1] and x.quant == y.quant


def _read(view: View, op: Op) -> bool:
    """Whether layers whose weights can be in the order of its input are all that reads the output of ``op``."""
    readers = view.readers(op.outputs[0])
    x, y = view.tensor(op.inputs[0]), view.tensor(op.outputs[0])
    if view.is_output(op.outputs[0]) or not readers or x.elements != y.elements or x.quant != y.quant:
        return False
    return all(_columns(view.graph, op, reader) is not None for reader in readers)


def _columns(graph: Graph, op: Op, reader: Op) -> Order | None:
    """For each of the last dimension of the weights of ``reader`` which it was, where its input is that of ``op``."""
    if not mixes_channels(reader) or op.outputs[0] in reader.inputs[1:]:
        return None
    x, weights = graph.tensors[op.inputs[0]], graph.tensors[reader.inputs[1]]
    order = channel_order(graph, op)
    if isinstance(reader.attrs, FullyConnectedAttrs) and weights.shape[-1] == x.elements:
        if reader.attrs.keep_num_dims:
            return None
        order = moved(op.attrs).flat()
    if order is None or len(order) != weights.shape[-1] or len(np.unique(order)) != len(order):
        return None
    return np.argsort(order)


def _reading(graph: Graph, op: Op, columns: Order) -> tuple[Graph, Op]:
    weights = graph.tensors[op.inputs[1]]
    assert weights.data is not None
    data = np.ascontiguousarray(np.take(weights.data, columns, axis=-1))
    graph, index = added(graph, replace(weights, data=data))
    return graph, replace(op, inputs=(op.inputs[0], index, *op.inputs[2:]))


def _making(graph: Graph, op: Op, order: Order) -> tuple[Graph, Op]:
    assert isinstance(op.attrs, Conv2DAttrs | FullyConnectedAttrs)
    inputs = list(op.inputs)
    for position in (1, 2):
        if inputs[position] != ABSENT:
            graph, inputs[position] = added(graph, _chosen(graph.tensors[op.inputs[position]], order))
    return graph, replace(op, inputs=tuple(inputs))


def _chosen(tensor: Tensor, order: Order) -> Tensor:
    assert tensor.data is not None
    data, quant = np.ascontiguousarray(tensor.data[order]), tensor.quant
    if quant is not None and quant.per_channel and quant.axis == 0:
        scales, zero_points = (tuple(values[c] for c in order) for values in (quant.scales, quant.zero_points))
        quant = Quant(scales, zero_points)
    return replace(tensor, shape=data.shape, data=data, quant=quant)
