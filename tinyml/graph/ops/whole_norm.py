"""WHOLE_NORM: what lowering makes of a norm over a whole example, which takes nine ops. No file has it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tinyml.graph.ir import ABSENT, Graph, Op, Quant
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import attrs_of, shape_text
from tinyml.graph.ops.layer_norm import NormSpec

LARGEST = 1 << 22
"""So many elements, each of at most 255 steps, are summed in int32."""
_NO_QUANT = Quant((1.0,), (0,))


@dataclass(frozen=True, slots=True)
class WholeNormAttrs(Attrs):
    """Attributes of WHOLE_NORM; inputs are x [N, ..., C], a constant gain of C or none, a constant offset of C or none.

    Each is how the result of an op between is quantised: ``mean``, ``deviation`` from it, its ``square``, the
    ``variance`` and its inverse ``root``; ``normed`` where a gain follows, ``gained`` where an offset follows that.
    ``table`` holds the roots of the variances -128 to 127; a norm goes over ``elements``.
    """

    mean: Quant = _NO_QUANT
    deviation: Quant = _NO_QUANT
    square: Quant = _NO_QUANT
    variance: Quant = _NO_QUANT
    root: Quant = _NO_QUANT
    table: tuple[int, ...] = ()
    elements: int = 0
    normed: Quant | None = None
    gained: Quant | None = None


class WholeNorm(NormSpec):
    """Each example less its mean, by its deviation, with a gain and an offset: made by the compiler, in no file."""

    kind = "WHOLE_NORM"
    attrs_type = WholeNormAttrs

    def constraint_between(self, graph: Graph, op: Op) -> str | None:
        """The quotient is quantised where a gain follows, the product where an offset follows that, and only there."""
        attrs = attrs_of(op, WholeNormAttrs)
        has_gain, has_offset = (len(op.inputs) > i and op.inputs[i] != ABSENT for i in (1, 2))
        fits = (attrs.normed is not None) == has_gain and (attrs.gained is not None) == has_offset
        return None if fits and (has_gain or not has_offset) else f"got {attrs.normed} and {attrs.gained}"

    def constraint_size(self, graph: Graph, op: Op) -> str | None:
        """Examples are all of the input's dimensions but the first, or all: at most 4,194,304 elements."""
        elements, shape = attrs_of(op, WholeNormAttrs).elements, graph.tensors[op.inputs[0]].shape
        fits = elements in (prod(shape), prod(shape[1:])) and 1 <= elements <= LARGEST
        return None if fits else f"got {elements} of {shape_text(shape)}"

    def constraint_table(self, graph: Graph, op: Op) -> str | None:
        """The table has 256 roots from -128 to 127."""
        table = attrs_of(op, WholeNormAttrs).table
        return None if len(table) == 256 and all(-128 <= v <= 127 for v in table) else f"got {len(table)}"
