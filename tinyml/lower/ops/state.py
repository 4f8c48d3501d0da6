"""READ_VARIABLE and ASSIGN_VARIABLE: the tensor that is read first stays where it is, an assignment writes there."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.state import VariableAttrs
from tinyml.lower.ops.common import first_output, make_step
from tinyml.lower.program import In, Int, Out, Program, Step, Target


def home(graph: Graph, op: Op) -> int | None:
    """The tensor that holds the variable of ``op``: what its first reading gives; None where nothing reads it."""
    name = cast(VariableAttrs, op.attrs).name
    readings = (o for o in graph.ops if o.kind == "READ_VARIABLE" and cast(VariableAttrs, o.attrs).name == name)
    return next((o.outputs[0] for o in readings), None)


def build_read(graph: Graph, op: Op, target: Target) -> Step:
    """The step that has the variable's bytes, all the time."""
    step = make_step(graph, op, kernel="tml_read_state", header="tml_state.h", inputs=(), args=(Out(0),))
    return replace(step, keeps=True)


def build_assign(graph: Graph, op: Op, target: Target) -> Step:
    """The step that copies the next value; its output is an alias of the variable's bytes."""
    size = Int("bytes", first_output(graph, op).size_bytes)
    return make_step(
        graph, op, kernel="tml_assign_state", header="tml_state.h", inputs=op.inputs, args=(In(0), Out(0), size)
    )


def states(program: Program) -> list[tuple[int, bytes]]:
    """Each tensor that holds a variable, with the variable's first value."""
    return [
        (op.outputs[0], op.attrs.initial)
        for op in program.graph.ops
        if op.kind == "READ_VARIABLE" and isinstance(op.attrs, VariableAttrs) and op.outputs[0] not in program.alias_of
    ]
