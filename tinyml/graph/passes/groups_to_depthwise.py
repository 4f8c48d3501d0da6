"""Writes convolutions whose groups have one input channel each as what they are: depthwise."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import added, with_op


class GroupsToDepthwise(Pass):
    """CONV_2D with as many groups as input channels becomes DEPTHWISE_CONV_2D, whose kernels are made for that.

    Output channel ``o`` of C groups reads input channel ``o // (O / C)``, as depthwise with a multiplier of O / C does;
    the weights [O, KH, KW, 1] become [1, KH, KW, O]. Both ops round alike.
    """

    name = "groups-to-depthwise"

    def match(self, view: View, op: Op) -> bool:
        """Whether every group has one input channel, and the weights are the file's."""
        if op.kind != "CONV_2D" or view.tensor(op.inputs[1]).data is None:
            return False
        groups = cast(Conv2DAttrs, op.attrs).groups
        return groups > 1 and groups == view.tensor(op.inputs[0]).shape[3]

    def transform(self, view: View, op: Op) -> Graph:
        """The same op as DEPTHWISE_CONV_2D, with weights of its own."""
        attrs, weights = cast(Conv2DAttrs, op.attrs), view.tensor(op.inputs[1])
        assert weights.data is not None
        data = np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0))
        quant = None if weights.quant is None else replace(weights.quant, axis=3)
        graph, index = added(view.graph, replace(weights, shape=data.shape, data=data, quant=quant))
        depthwise = DepthwiseConv2DAttrs(
            stride_h=attrs.stride_h, stride_w=attrs.stride_w, dilation_h=attrs.dilation_h, dilation_w=attrs.dilation_w,
            pad_top=attrs.pad_top, pad_bottom=attrs.pad_bottom, pad_left=attrs.pad_left, pad_right=attrs.pad_right,
            multiplier=weights.shape[0] // attrs.groups, activation=attrs.activation,
        )  # fmt: skip
        inputs = (op.inputs[0], index, *op.inputs[2:])
        return with_op(graph, op, replace(op, kind="DEPTHWISE_CONV_2D", attrs=depthwise, inputs=inputs))
