"""Removes ops that give their input back."""

from __future__ import annotations

from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.ops import PadAttrs, ViewAttrs
from tinyml.graph.passes.base import Pass, View
from tinyml.graph.passes.edit import bypassed

_COPIES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "CONCATENATION")


class DropIdentities(Pass):
    """RESHAPE to the same shape, QUANTIZE to the same parameters, PAD by nothing, CONCATENATION of one part.

    QUANTIZE with equal scales multiplies by 1.0, which TFLite's fixed-point arithmetic represents exactly. A graph's
    output keeps its op: it has to lie in a tensor of its own.
    """

    name = "drop-identities"

    def match(self, view: View, op: Op) -> bool:
        """Whether ``op`` copies its input."""
        if len(op.inputs) != 1:
            return False
        x, y = view.tensor(op.inputs[0]), view.tensor(op.outputs[0])
        if view.is_output(op.outputs[0]) or x.is_constant or DType.FLOAT32 in (x.dtype, y.dtype):
            return False
        if (x.shape, x.dtype, x.quant) != (y.shape, y.dtype, y.quant):
            return False
        pads_nothing = isinstance(op.attrs, PadAttrs) and not any(p for pair in op.attrs.paddings for p in pair)
        moves_nothing = isinstance(op.attrs, ViewAttrs) and op.attrs.contiguous
        return op.kind in _COPIES or pads_nothing or moves_nothing

    def transform(self, view: View, op: Op) -> Graph:
        """Readers of the output read the input."""
        return bypassed(view.graph, op)
