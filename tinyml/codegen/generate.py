"""The C of a network: ``network.h`` with its numbers, ``network.c`` with its constants and steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np

from tinyml import __version__
from tinyml.codegen.arenas import arena_arrays
from tinyml.codegen.literals import C_TYPES
from tinyml.codegen.names import c_comment, c_identifier, c_string
from tinyml.codegen.rows import segment_views
from tinyml.codegen.views import CallBuilder, array_names, arrays, border
from tinyml.lower.ops.state import states
from tinyml.lower.program import Program
from tinyml.plan.canaries import idle_spans
from tinyml.plan.planner import ARENA_ALIGN_BYTES, Plan
from tinyml.plan.segments import segments_of


def generate(
    program: Program,
    plan: Plan,
    name: str = "network",
    *,
    sections: Mapping[str, str] | None = None,
    shared_arena: str | None = None,
    canaries: bool = False,
) -> dict[str, str]:
    """C11 sources of ``program`` by file name, the same for the same program.

    ``name`` prefixes every symbol, and in upper case every macro, so that several networks fit into one program; what
    is no identifier is made one. ``sections`` has the linker section of the memory regions that the plan's arenas name;
    ``shared_arena`` is an array of the application's to use as the arena, as other networks may between two runs. With
    ``canaries``, for tests, the bytes of the arena that no buffer holds during a step are filled before and looked at
    after it: where one has changed ``tml_canary_broken(step, offset)`` is called, which the application supplies. The
    sources include ``tml_*.h`` of ``firmware_templates/runtime``.
    """
    prefix = c_identifier(name)
    context = _context(program, plan, prefix) | {
        "arenas": arena_arrays(plan, prefix, sections or {}),
        "shared_arena": shared_arena,
        "canaries": _idle(program, plan) if canaries else (),
    }
    return {
        f"{prefix}.h": ENVIRONMENT.get_template("network.h.j2").render(context),
        f"{prefix}.c": ENVIRONMENT.get_template("network.c.j2").render(context),
    }


def _context(program: Program, plan: Plan, prefix: str) -> dict[str, Any]:
    graph = program.graph
    names = array_names(program, prefix)
    builder = CallBuilder(program, plan, prefix, names)
    segments = segment_views(program, plan, prefix, C_TYPES)
    metadata = dict(graph.metadata)
    return {
        "version": __version__,
        "name": prefix,
        "NAME": prefix.upper(),
        "model": graph.name,
        "model_hash": metadata.get("sha256", ""),
        "labels": graph.labels,
        "macs": program.macs,
        "weights_bytes": program.weights_bytes,
        "arena_bytes": max(plan.arena_bytes, 1),
        "arena_align": ARENA_ALIGN_BYTES,
        "inputs": [border(graph, plan, i, t) for i, t in enumerate(graph.inputs)],
        "outputs": [border(graph, plan, i, t) for i, t in enumerate(graph.outputs)],
        "headers": sorted({step.header for step in program.steps} | _own_headers(program)),
        "arrays": arrays(program, names),
        "shared_kernels": builder.shared,
        "calls": [builder.call(i) for i in range(len(program.steps))],
        "last_calls": builder.last_calls(),
        "segments": segments,
        "made_by_rows": {s.first: builder.traced_aliases(s.results) for s in segments_of(program)},
        "inside": {i for first, last in program.segments for i in range(first, last + 1)},
        "fed": segments[0].fed if 0 in segments else None,
        "hop": program.hop,
        "states": [_state(program, plan, tensor, initial) for tensor, initial in states(program)],
        "traced_inputs": builder.traced(graph.inputs),
    }


def _state(program: Program, plan: Plan, tensor: int, initial: bytes) -> dict[str, Any]:
    """Where a variable lies, and its first value: one byte where all are alike, otherwise all."""
    values = np.frombuffer(initial, np.int8).tolist()
    return {
        "offset": plan.offsets[tensor],
        "size_bytes": len(values),
        "fill": values[0] if len(set(values)) == 1 else None,
        "values": values,
    }


def _idle(program: Program, plan: Plan) -> list[tuple[int, int, int]]:
    """(first step, start, end) of the idle bytes while a step alone or the steps of a segment run."""
    inside = {i for first, last in program.segments for i in range(first, last + 1)}
    alone = [(i, i) for i in range(len(program.steps)) if i not in inside]
    spans = [(first, *span) for first, last in (*alone, *program.segments) for span in idle_spans(plan, first, last)]
    return [*spans, (len(program.steps), 0, 0)]


def _own_headers(program: Program) -> set[str]:
    return {"tml_common.h", "tml_rows.h"} if program.segments else {"tml_common.h"}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinyml.codegen"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["c_string"] = c_string
    environment.filters["c_comment"] = c_comment
    return environment


ENVIRONMENT = _environment()
