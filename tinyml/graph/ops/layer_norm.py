"""LAYER_NORM: what lowering makes of a layer norm's or an RMS norm's ops, one behind the other. No file has it."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import ABSENT, Graph, Op, Quant
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, attrs_of, shape_text

NORMED = Quant((1 / 128,), (0,))
"""Of L2_NORMALIZATION's output."""


@dataclass(frozen=True, slots=True)
class LayerNormAttrs(Attrs):
    """Attributes of LAYER_NORM; inputs are x [..., C], a constant gain of C or none, a constant offset of C or none.

    Each is how the result of an op between is quantised: ``mean`` and ``deviation`` of MEAN and SUB, both None where
    rows are divided by their length as they are; ``gained`` of the product, where an offset is added to it.
    """

    mean: Quant | None = None
    deviation: Quant | None = None
    gained: Quant | None = None


class NormSpec(Int8Spec):
    """What norms share: an input, a gain and an offset by its last dimension."""

    inputs_max = 3

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output has the input's elements in rows as long, gain and offset are constants of a row's length."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        given = [graph.tensors[t] for t in op.inputs[1:] if t != ABSENT]
        fits = len(x.shape) > 0 and len(y.shape) > 0 and x.shape[-1] == y.shape[-1] and x.elements == y.elements
        if fits and all(t.is_constant and t.elements == x.shape[-1] for t in given):
            return None
        shapes = " and ".join(shape_text(t.shape) for t in given)
        return f"got {shape_text(x.shape)} to {shape_text(y.shape)} with {shapes or 'nothing'}"


class LayerNorm(NormSpec):
    """Each row less its mean, by its length, with a gain and an offset: made by the compiler, not read from a file."""

    kind = "LAYER_NORM"
    attrs_type = LayerNormAttrs

    def constraint_between(self, graph: Graph, op: Op) -> str | None:
        """Mean and deviation come together; the product is quantised where an offset follows a gain, and only there."""
        attrs = attrs_of(op, LayerNormAttrs)
        has_offset = len(op.inputs) > 2 and op.inputs[2] != ABSENT
        has_gain = len(op.inputs) > 1 and op.inputs[1] != ABSENT
        paired = (attrs.mean is None) == (attrs.deviation is None)
        fits = paired and (attrs.gained is not None) == (has_offset and has_gain) and (has_gain or not has_offset)
        return None if fits else f"got {attrs.mean}, {attrs.deviation} and {attrs.gained}"

    def constraint_size(self, graph: Graph, op: Op) -> str | None:
        """The rows have from 1 to 33000 elements, so that no int32 sum overflows."""
        shape = graph.tensors[op.inputs[0]].shape
        return None if shape and 1 <= shape[-1] <= 33_000 else f"got rows of {shape[-1] if shape else 0}"
