"""Removes channels that nothing reads, from every tensor and every weight along the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import ABSENT, Graph, Op, Quant, Tensor
from tinyml.graph.ops import BinaryAttrs, DepthwiseConv2DAttrs
from tinyml.graph.passes.base import GraphPass, View
from tinyml.graph.passes.channels import channel_map, mixes_channels, weights_by_output
from tinyml.graph.passes.edit import added

Mask = npt.NDArray[np.bool_]
Masks = dict[int, Mask]


class RemoveUnreadChannels(GraphPass):
    """A channel goes where all weights that read it are zero, back through the channel-wise ops that made it.

    Channel-wise ops (depthwise convolutions, pools, sums, reshapes …) tie the channels of their inputs and outputs
    together: those stay that any reader of any of them needs. At least one channel of a tensor stays.
    """

    name = "remove-unread-channels"

    def match(self, view: View) -> bool:
        """Whether any channel is unread."""
        return not all(mask.all() for mask in kept_channels(view.graph).values())

    def transform(self, view: View) -> Graph:
        """The graph with smaller tensors and weights."""
        masks = kept_channels(view.graph)
        graph = _with_channels(view.graph, masks)
        for op in view.graph.ops:
            graph = _sliced(graph, view.graph, op, masks)
        return graph


def kept_channels(graph: Graph) -> Masks:
    """For each activation that has dimensions, which channels must stay: the least solution, found by iteration."""
    masks = {t: np.zeros(graph.tensors[t].shape[-1], np.bool_) for t in graph.activations() if graph.tensors[t].shape}
    for border in (*graph.inputs, *graph.outputs):
        _keep(masks, border)
    before = -1
    while (now := sum(int(mask.sum()) for mask in masks.values())) != before:
        before = now
        for op in (*reversed(graph.ops), *graph.ops):
            _require(graph, op, masks)
        for mask in masks.values():
            mask[0] |= not mask.any()
    return masks


def _keep(masks: Masks, tensor: int) -> None:
    if tensor in masks:
        masks[tensor][:] = True


def _require(graph: Graph, op: Op, masks: Masks) -> None:
    """Add to ``masks`` what ``op`` needs of its inputs for its outputs, and must make of its inputs."""
    y = op.outputs[0]
    if not op.inputs:
        _keep(masks, y)
        return
    x = op.inputs[0]
    if mixes_channels(op):
        weights = weights_by_output(graph, op)[masks[y]]
        read = (weights != 0).reshape(-1, weights.shape[-1]).any(axis=0)
        channels = len(masks[x])
        if len(read) % channels:
            _keep(masks, x)
        else:
            masks[x] |= read.reshape(-1, channels).any(axis=0)
        return
    inputs = op.inputs[:1] if isinstance(op.attrs, DepthwiseConv2DAttrs) else op.inputs
    for position, tensor in enumerate(inputs):
        if tensor not in masks:
            continue
        where = channel_map(graph, op, position)
        if where is None:
            _keep(masks, tensor)
            if not isinstance(op.attrs, BinaryAttrs):
                for output in op.outputs:
                    _keep(masks, output)
        elif y in masks:
            masks[tensor] |= masks[y][where].any(axis=1)
            masks[y][where[masks[tensor]].reshape(-1)] = True


def _with_channels(graph: Graph, masks: Masks) -> Graph:
    tensors, channels = list(graph.tensors), list(graph.source_channels or (None,) * len(graph.tensors))
    for index, mask in masks.items():
        if mask.all():
            continue
        tensor, before = tensors[index], channels[index]
        tensors[index] = replace(tensor, shape=(*tensor.shape[:-1], int(mask.sum())))
        kept = np.flatnonzero(mask)
        channels[index] = tuple(int(c) for c in (kept if before is None else np.asarray(before)[kept]))
    return replace(graph, tensors=tuple(tensors), source_channels=tuple(channels))


def _sliced(graph: Graph, original: Graph, op: Op, masks: Masks) -> Graph:
    """``graph`` with the constants of ``op`` cut to the channels that stay."""
    inputs = list(op.inputs)
    if isinstance(op.attrs, DepthwiseConv2DAttrs) or mixes_channels(op):
        outputs = masks[op.outputs[0]]
        weights = original.tensors[op.inputs[1]]
        if isinstance(op.attrs, DepthwiseConv2DAttrs):
            cut = _cut(weights, outputs, 3)
        else:
            columns = np.tile(masks[op.inputs[0]], weights.shape[-1] // len(masks[op.inputs[0]]))
            cut = _cut(_cut(weights, outputs, 0), columns, len(weights.shape) - 1)
        graph, inputs[1] = _replaced(graph, op.inputs[1], cut)
        if op.inputs[2] != ABSENT:
            graph, inputs[2] = _replaced(graph, op.inputs[2], _cut(original.tensors[op.inputs[2]], outputs, 0))
    elif op.outputs[0] in masks and ABSENT not in op.inputs:
        inputs = []
        for position, index in enumerate(op.inputs):
            mask = _constant_mask(original, op, position, masks[op.outputs[0]])
            tensor = original.tensors[index]
            if mask is None:
                inputs.append(index)
            elif mask.any():
                graph, index = _replaced(graph, index, _cut(tensor, mask, len(tensor.shape) - 1))
                inputs.append(index)
    return graph.with_ops(replace(o, inputs=tuple(inputs)) if o is op else o for o in graph.ops)


def _constant_mask(graph: Graph, op: Op, position: int, outputs: Mask) -> Mask | None:
    """The channels that stay of a constant operand, none perhaps of a concatenation's; None for other operands."""
    if not graph.tensors[op.inputs[position]].is_constant:
        return None
    where = channel_map(graph, op, position)
    if where is None:
        return None
    return np.asarray(outputs[where].any(axis=1), np.bool_)


def _cut(tensor: Tensor, mask: Mask, axis: int) -> Tensor:
    assert tensor.data is not None
    if mask.all():
        return tensor
    kept = np.flatnonzero(mask)
    data = np.ascontiguousarray(np.take(tensor.data, kept, axis=axis))
    quant = tensor.quant
    if quant is not None and quant.per_channel and quant.axis == axis:
        quant = Quant(tuple(quant.scales[c] for c in kept), tuple(quant.zero_points[c] for c in kept), quant.axis)
    return replace(tensor, shape=data.shape, data=data, quant=quant)


def _replaced(graph: Graph, index: int, tensor: Tensor) -> tuple[Graph, int]:
    return (graph, index) if tensor is graph.tensors[index] else added(graph, tensor)
