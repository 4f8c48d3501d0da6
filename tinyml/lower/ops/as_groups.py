"""Depthwise convolutions as grouped ones, for kernels that go group by group: the conditions and builders of both."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyml.lower.ops.common import Build, Condition, constant, first_input
from tinyml.lower.program import Step, Target
from tinyml.lower.verdict import Verdict, unfit


def as_groups(graph: Graph, op: Op) -> tuple[Graph, Op]:
    """A depthwise convolution as a convolution with a group for every input channel, in its graph."""
    attrs = cast(DepthwiseConv2DAttrs, op.attrs)
    weights = graph.tensor(op.inputs[1])
    data = np.ascontiguousarray(constant(graph, op, 1).transpose(3, 1, 2, 0))
    quant = None if weights.quant is None else replace(weights.quant, axis=0)
    tensors = (*graph.tensors, replace(weights, shape=data.shape, data=data, quant=quant))
    grouped = Conv2DAttrs(
        stride_h=attrs.stride_h, stride_w=attrs.stride_w, dilation_h=attrs.dilation_h, dilation_w=attrs.dilation_w,
        pad_top=attrs.pad_top, pad_bottom=attrs.pad_bottom, pad_left=attrs.pad_left, pad_right=attrs.pad_right,
        groups=first_input(graph, op).shape[3], activation=attrs.activation,
    )  # fmt: skip
    made = replace(op, kind="CONV_2D", attrs=grouped, inputs=(op.inputs[0], len(graph.tensors), *op.inputs[2:]))
    return replace(graph, tensors=tensors, ops=tuple(made if o is op else o for o in graph.ops)), made


def applies_as_groups(graph: Graph, op: Op, target: Target, grouped: Condition) -> Verdict:
    """Whether a kernel for several groups, of which ``grouped`` is the condition, takes a depthwise convolution."""
    if first_input(graph, op).shape[3] == 1:
        return unfit("several channels, here one")
    return grouped(*as_groups(graph, op), target)


def build_as_groups(graph: Graph, op: Op, target: Target, grouped: Build) -> Step:
    """A depthwise convolution's step on a kernel for several groups, whose builder is ``grouped``."""
    return replace(grouped(*as_groups(graph, op), target), kind=op.kind)
