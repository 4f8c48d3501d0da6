"""LOOKUP: what lowering makes of several functions of one int8, one behind the other. No file has it."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.base import Attrs
from tinyml.graph.ops.common import ElementwiseSpec, attrs_of


@dataclass(frozen=True, slots=True)
class LookupAttrs(Attrs):
    """Attributes of LOOKUP: the results for the inputs -128 to 127, and the kinds of ops that gave them, in order."""

    table: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()


class Lookup(ElementwiseSpec):
    """Several functions of one value in a single table: made by the compiler, not read from a file."""

    kind = "LOOKUP"
    attrs_type = LookupAttrs

    def constraint_table(self, graph: Graph, op: Op) -> str | None:
        """The table has 256 results from -128 to 127."""
        table = attrs_of(op, LookupAttrs).table
        return None if len(table) == 256 and all(-128 <= v <= 127 for v in table) else f"got {len(table)}"
