"""MEAN and SUM over constant axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import Int8Spec, attrs_of, different_quantisation, multiplier_facts, shape_text


@dataclass(frozen=True, slots=True)
class ReduceAttrs(Attrs):
    """Attributes of MEAN and SUM; the only input is x. ``axes`` are sorted, not negative, each once."""

    axes: tuple[int, ...] = ()
    keep_dims: bool = False


class ReduceSpec(Int8Spec):
    """What both share."""

    attrs_type = ReduceAttrs

    def constraint_axes(self, graph: Graph, op: Op) -> str | None:
        """The axes are constant, at least one, each once, of a tensor of at most 5 dimensions."""
        axes, rank = attrs_of(op, ReduceAttrs).axes, len(graph.tensors[op.inputs[0]].shape)
        sound = axes and rank <= 5 and list(axes) == sorted(set(axes)) and axes[0] >= 0 and axes[-1] < rank
        return None if sound else f"got axes {list(axes)} of {rank} dimensions"

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output has the input's shape without the axes, or with 1 there."""
        x, y, a = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape, attrs_of(op, ReduceAttrs)
        kept = tuple(1 if d in a.axes else n for d, n in enumerate(x) if a.keep_dims or d not in a.axes)
        return None if y == kept else f"got {shape_text(y)} for {shape_text(kept)}"

    def constraint_size(self, graph: Graph, op: Op) -> str | None:
        """At most 2^23 elements go into one output, so that no int32 sum overflows."""
        count = graph.tensors[op.inputs[0]].elements // graph.tensors[op.outputs[0]].elements
        return None if count <= 1 << 23 else f"got {count}"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """Input scale divided by output scale is below 2^30."""
        return multiplier_facts(graph.tensors[op.inputs[0]].scale / graph.tensors[op.outputs[0]].scale)


class Mean(ReduceSpec):
    """Mean over axes."""

    kind = "MEAN"


class Sum(ReduceSpec):
    """Sum over axes."""

    kind = "SUM"

    def constraint_quantisation(self, graph: Graph, op: Op) -> str | None:
        """Where more than one element is summed, the output's parameters differ from the input's."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        same = different_quantisation(x, y) is None and x.elements > y.elements
        return "they are equal, and TFLite's sum wraps around in int8 then" if same else None
