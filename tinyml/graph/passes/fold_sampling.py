"""Folds pools that only sample into the convolutions before them."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Activation, Graph, Op
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs, PoolAttrs
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import with_op, without_op


class FoldSampling(Pass):
    """A convolution whose only reader is a pool of 1x1 windows with strides takes the strides itself.

    A pool of one pixel gives that pixel, whichever kind it is, so that of what the convolution computes only every
    so-manieth row and column is used. Keras has no convolution with strides and dilation at once, and such a pair is
    how networks that need one say it.
    """

    name = "fold-sampling"

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` samples what a convolution makes for it alone."""
        attrs = op.attrs
        if not isinstance(attrs, PoolAttrs) or (attrs.filter_h, attrs.filter_w) != (1, 1):
            return False
        if attrs.activation is not Activation.NONE or attrs.pad_top or attrs.pad_left:
            return False
        x, y, producer = view.tensor(op.inputs[0]), view.tensor(op.outputs[0]), view.producer(op.inputs[0])
        alone = len(view.readers(op.inputs[0])) == 1 and not view.is_output(op.inputs[0])
        return (
            alone
            and x.quant == y.quant
            and producer is not None
            and isinstance(producer.attrs, Conv2DAttrs | DepthwiseConv2DAttrs)
        )

    def transform(self, view: View, op: Op) -> Graph:
        """The convolution with the product of both strides, and no more padding than its last windows need."""
        producer, pool = view.producer(op.inputs[0]), op.attrs
        assert producer is not None and isinstance(pool, PoolAttrs)
        conv = producer.attrs
        assert isinstance(conv, Conv2DAttrs | DepthwiseConv2DAttrs)
        _, height, width, _ = view.tensor(producer.inputs[0]).shape
        _, kernel_h, kernel_w, _ = view.tensor(producer.inputs[1]).shape
        _, rows, columns, _ = view.tensor(op.outputs[0]).shape
        stride_h, stride_w = conv.stride_h * pool.stride_h, conv.stride_w * pool.stride_w
        last_row = (rows - 1) * stride_h + (kernel_h - 1) * conv.dilation_h + 1
        last_column = (columns - 1) * stride_w + (kernel_w - 1) * conv.dilation_w + 1
        attrs = replace(
            conv,
            stride_h=stride_h,
            stride_w=stride_w,
            pad_bottom=max(0, last_row - height - conv.pad_top),
            pad_right=max(0, last_column - width - conv.pad_left),
        )
        return with_op(without_op(view.graph, op), producer, replace(producer, outputs=op.outputs, attrs=attrs))
