"""The C of several networks in one firmware: each under a name of its own, one arena, and calls by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinyml.codegen.generate import ENVIRONMENT, generate
from tinyml.lower.program import Program
from tinyml.plan.planner import ARENA_ALIGN_BYTES, Plan

ARENA = "network_arena"


def generate_several(
    networks: Mapping[str, tuple[Program, Plan]], arena_bytes: int, *, section: str = ""
) -> dict[str, str]:
    """C11 sources by file name: those of every network, and ``networks.h`` and ``networks.c`` over all of them.

    The keys of ``networks`` are C identifiers that prefix all that a network defines. The arena that they share goes to
    the linker section ``section``. Plans that are cut over several regions cannot share one.
    """
    sources: dict[str, str] = {}
    for name, (program, plan) in networks.items():
        assert len(plan.arenas) <= 1, "a shared arena is one array"
        sources |= generate(program, plan, name, shared_arena=ARENA)
    context = {
        "networks": [_view(name, program) for name, (program, _) in networks.items()],
        "arena": ARENA,
        "arena_bytes": max(arena_bytes, 1),
        "arena_align": ARENA_ALIGN_BYTES,
        "section": section,
    }
    for name in ("networks.h", "networks.c"):
        sources[name] = ENVIRONMENT.get_template(f"{name}.j2").render(context)
    return sources


def _view(name: str, program: Program) -> dict[str, Any]:
    graph = program.graph
    return {"name": name, "inputs": _bytes(program, graph.inputs), "outputs": _bytes(program, graph.outputs)}


def _bytes(program: Program, tensors: Sequence[int]) -> list[int]:
    return [program.graph.tensors[t].size_bytes for t in tensors]
