"""From a graph to a program: one step an op by the kernel table, and aliases for the ops that move nothing."""

from __future__ import annotations

from tinyml.board import Board
from tinyml.errors import UnsupportedError
from tinyml.graph.ir import Graph
from tinyml.lower.fuse import fuse
from tinyml.lower.fuse_attention import fuse_attention
from tinyml.lower.fuse_layer_norm import fuse_layer_norm
from tinyml.lower.fuse_whole_norm import fuse_whole_norm
from tinyml.lower.kernels import build_step
from tinyml.lower.ops.move import is_piece, piece_offset_bytes
from tinyml.lower.ops.state import home
from tinyml.lower.program import Isa, Optimize, Program, Step, Target
from tinyml.lower.streaming import Streamed, keep_steps

ALIASES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Ops whose output is their first input's bytes under another shape."""
VARIABLES = frozenset({"READ_VARIABLE", "ASSIGN_VARIABLE"})
"""Ops on what stays from run to run; all readings of a variable are the first one's bytes."""


def target_of(board: Board, optimize: Optimize = Optimize.BALANCED) -> Target:
    """What lowering needs to know of ``board``: networks for boards of the same target are the same program."""
    cache = board.flash_cache
    code, data = (cache.instruction_bytes, cache.data_bytes) if cache else (None, None)
    return Target(Isa(board.isa_name), optimize, code, data)


def fuse_patterns(graph: Graph) -> Graph:
    """``graph`` with chains of ops as the single ones that compute the same bytes: tables, attention, layer norms."""
    return fuse_whole_norm(fuse_layer_norm(fuse_attention(fuse(graph))))


def lower(graph: Graph, target: Target, streamed: Streamed | None = None) -> Program:
    """Choose a kernel for each op of a checked ``graph`` on ``target``.

    ``streamed`` is ``graph`` as it computes new rows only, where it shall. Raises :class:`UnsupportedError` where an op
    has no kernel, or where an output of the graph is a constant.
    """
    steps: list[Step] = []
    alias_of: dict[int, int] = {}
    alias_offsets: dict[int, int] = {}
    graph, windows = (streamed.graph, streamed.windows) if streamed else (fuse_patterns(graph), {})
    for index, op in enumerate(graph.ops):
        steps += keep_steps(graph, windows.get(index, ()))
        variable = home(graph, op) if op.kind in VARIABLES else None
        if variable is not None and variable != op.outputs[0]:
            alias_of[op.outputs[0]] = variable
        if op.kind in VARIABLES and (variable is None or (op.kind == "READ_VARIABLE" and variable != op.outputs[0])):
            continue
        if op.kind == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            alias_of.update(zip(op.outputs[1:], op.inputs[1:3], strict=True))
        if op.kind in ALIASES or is_piece(graph, op):
            source, output = op.inputs[0], op.outputs[0]
            alias_of[output] = alias_of.get(source, source)
            alias_offsets[output] = alias_offsets.get(source, 0) + piece_offset_bytes(graph, op)
        else:
            steps.append(build_step(graph, op, target))
    steps += keep_steps(graph, windows.get(len(graph.ops), ()))
    for index in graph.outputs:
        if graph.tensors[alias_of.get(index, index)].is_constant:
            raise UnsupportedError(
                f"output {graph.tensors[index].name} of the model is a constant",
                hint="remove it from the model's outputs",
            )
    offsets = {t: n for t, n in alias_offsets.items() if n}
    return Program(graph, target, tuple(steps), alias_of, offsets, hop=streamed.hop if streamed else None)
