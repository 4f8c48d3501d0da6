"""READ_VARIABLE and ASSIGN_VARIABLE: what a network keeps from one inference to the next.

VAR_HANDLE and CALL_ONCE of the file are in the attributes: which variable, and what it holds at first. An assignment
has an output of its own in the graph, the variable's next value, which nothing reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.ops.base import Attrs, OpSpec
from tinyml.graph.ops.common import attrs_of, shape_text


@dataclass(frozen=True, slots=True)
class VariableAttrs(Attrs):
    """Attributes of both: the variable's ``name`` in the file, and the bytes that it holds before the first run."""

    name: str = ""
    initial: bytes = b""


class VariableSpec(OpSpec):
    """What both share."""

    attrs_type = VariableAttrs

    def constraint_attributes(self, graph: Graph, op: Op) -> str | None:
        """The op has its number of inputs, one output, and attributes of its own type."""
        wanted = 0 if op.kind == "READ_VARIABLE" else 1
        if len(op.inputs) == wanted and len(op.outputs) == 1:
            return None if type(op.attrs) is VariableAttrs else f"got {type(op.attrs).__name__}"
        return f"got {len(op.inputs)} inputs and {len(op.outputs)} outputs"

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """What is read and assigned is int8, or an int16 cell."""
        dtypes = [graph.tensors[t].dtype for t in (*op.inputs, *op.outputs)]
        other = [dtype for dtype in dtypes if dtype not in (DType.INT8, DType.INT16)]
        return f"it is {other[0].value}" if other else None

    def constraint_size(self, graph: Graph, op: Op) -> str | None:
        """The variable has a first value of the same size."""
        size, initial = graph.tensors[op.outputs[0]].size_bytes, len(attrs_of(op, VariableAttrs).initial)
        return None if size == initial else f"got {initial} bytes for {size}"


class ReadVariable(VariableSpec):
    """A variable's value, as the last inference left it."""

    kind = "READ_VARIABLE"


class AssignVariable(VariableSpec):
    """A variable's value for the next inference."""

    kind = "ASSIGN_VARIABLE"

    def constraint_value(self, graph: Graph, op: Op) -> str | None:
        """The value has the variable's shape, scale and zero point."""
        value, variable = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        if value.shape == variable.shape:
            return None if value.quant == variable.quant else "scale or zero point differ"
        return f"got {shape_text(value.shape)} for {shape_text(variable.shape)}"

    def constraint_order(self, graph: Graph, op: Op) -> str | None:
        """The variable is assigned once, by the last op but for other assignments, and is no output of the graph."""
        name = attrs_of(op, VariableAttrs).name
        same = [o for o in graph.ops if isinstance(o.attrs, VariableAttrs) and o.attrs.name == name]
        if sum(o.kind == "ASSIGN_VARIABLE" for o in same) > 1:
            return "it is assigned twice"
        if any(o.kind != "ASSIGN_VARIABLE" for o in graph.ops[graph.ops.index(op) :]):
            return "an op follows"
        read = {t for o in same if o.kind == "READ_VARIABLE" for t in o.outputs}
        for o in graph.ops:
            if read.intersection(o.inputs) and len(o.inputs) == 1:
                read.update(o.outputs)
        return "an output of the graph may lie in it" if read.intersection(graph.outputs) else None


def has_state(graph: Graph) -> bool:
    """Whether the network keeps anything from one inference to the next."""
    return any(isinstance(op.attrs, VariableAttrs) for op in graph.ops)
