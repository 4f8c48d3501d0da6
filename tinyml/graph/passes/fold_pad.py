"""Folds PAD into the convolutions that read it."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs, PadAttrs
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import without_op


class FoldPad(Pass):
    """Padding with the zero point, read only by convolutions, becomes their own padding.

    A convolution pads with the zero point itself, so this holds for SAME as for VALID. Windows that would lie wholly
    in the padding are left to PAD: kernels need not know them.
    """

    name = "fold-pad"

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` pads an image for convolutions only."""
        attrs = op.attrs
        if not isinstance(attrs, PadAttrs) or len(attrs.paddings) != 4 or view.is_output(op.outputs[0]):
            return False
        if attrs.value != view.tensor(op.inputs[0]).zero_point or attrs.paddings[0] + attrs.paddings[3] != (0, 0, 0, 0):
            return False
        readers = view.readers(op.outputs[0])
        return bool(readers) and all(_takes(view, reader, attrs, op.outputs[0]) for reader in readers)

    def transform(self, view: View, op: Op) -> Graph:
        """The readers with larger padding, over the input of PAD."""
        assert isinstance(op.attrs, PadAttrs)
        (top, bottom), (left, right) = op.attrs.paddings[1:3]
        readers = view.readers(op.outputs[0])

        def folded(reader: Op) -> Op:
            attrs = reader.attrs
            assert isinstance(attrs, Conv2DAttrs | DepthwiseConv2DAttrs)
            padded = replace(
                attrs,
                pad_top=attrs.pad_top + top,
                pad_bottom=attrs.pad_bottom + bottom,
                pad_left=attrs.pad_left + left,
                pad_right=attrs.pad_right + right,
            )
            return replace(reader, inputs=(op.inputs[0], *reader.inputs[1:]), attrs=padded)

        graph = without_op(view.graph, op)
        return graph.with_ops(folded(o) if any(o is r for r in readers) else o for o in graph.ops)


def _takes(view: View, reader: Op, pad: PadAttrs, padded: int) -> bool:
    attrs = reader.attrs
    if not isinstance(attrs, Conv2DAttrs | DepthwiseConv2DAttrs) or padded in reader.inputs[1:]:
        return False
    _, kernel_h, kernel_w, _ = view.tensor(reader.inputs[1]).shape
    (top, bottom), (left, right) = pad.paddings[1:3]
    rows = max(attrs.pad_top + top, attrs.pad_bottom + bottom)
    columns = max(attrs.pad_left + left, attrs.pad_right + right)
    return rows <= (kernel_h - 1) * attrs.dilation_h and columns <= (kernel_w - 1) * attrs.dilation_w
