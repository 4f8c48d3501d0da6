"""Fuses a stand-alone RELU into the op before it."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops import (
    BinaryAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    PoolAttrs,
)
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import with_op, without_op

_FUSED = {"RELU": Activation.RELU, "RELU6": Activation.RELU6, "RELU_N1_TO_1": Activation.RELU_N1_TO_1}
_Activated = BinaryAttrs | Conv2DAttrs | DepthwiseConv2DAttrs | FullyConnectedAttrs | PoolAttrs

_SMALLEST_SCALE = 2.0**-24
"""Below it the bound of RELU6 in quantised units leaves int32, where TFLite's two ways to compute it differ."""


class FuseActivation(Pass):
    """RELU, RELU6, RELU_N1_TO_1 with equal input and output parameters only clamp, as a fused activation does.

    With equal scales TFLite multiplies by 1.0, which its fixed-point arithmetic represents exactly, and both forms
    clamp to ``zero_point + round(bound / scale)``.
    """

    name = "fuse-activation"

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` clamps what only it reads and what an op without activation computes."""
        if op.kind not in _FUSED:
            return False
        x, y, producer = view.tensor(op.inputs[0]), view.tensor(op.outputs[0]), view.producer(op.inputs[0])
        if producer is None or x.quant != y.quant or y.scale < _SMALLEST_SCALE:
            return False
        alone = len(view.readers(op.inputs[0])) == 1 and not view.is_output(op.inputs[0])
        return alone and isinstance(producer.attrs, _Activated) and producer.attrs.activation is Activation.NONE

    def transform(self, view: View, op: Op) -> Graph:
        """The producer with the activation, writing what ``op`` wrote."""
        producer = view.producer(op.inputs[0])
        assert producer is not None and isinstance(producer.attrs, _Activated)
        attrs = replace(producer.attrs, activation=_FUSED[op.kind])
        fused = replace(producer, outputs=op.outputs, attrs=attrs)
        return with_op(without_op(view.graph, op), producer, fused)
