"""Several networks in one firmware: one arena for all of them, what a network keeps between its runs apart from it.

Networks run one after the other, so that the largest arena does for all: each owns it from the filling of its inputs to
the reading of its outputs. State outlives that, so it has bytes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyml.boards import Board
from tinyml.lower.program import Program
from tinyml.plan.budget import Budget, Limits, Part, Sizes, find_peak, region_uses
from tinyml.plan.buffers import TENSOR_ALIGN_BYTES
from tinyml.plan.planner import Arena, Plan
from tinyml.plan.regions import rooms


@dataclass(frozen=True, slots=True)
class State:
    """Bytes that a network keeps from one run to the next."""

    name: str
    size_bytes: int
    align_bytes: int = TENSOR_ALIGN_BYTES


@dataclass(frozen=True, slots=True)
class Shared:
    """What all networks share and what they do not.

    ``arena_bytes`` are the largest network's. ``state_offsets`` has, by network and by the state's name, where each
    state lies in an array of ``state_bytes`` of its own. ``region`` holds the arena, None for the primary RAM.
    """

    arena_bytes: int
    state_bytes: int
    state_offsets: Mapping[tuple[str, str], int]
    region: str | None = None


def share(plans: Mapping[str, Plan], states: Mapping[str, Sequence[State]] | None = None) -> Shared:
    """One arena for ``plans`` and the places of all ``states``, both by network."""
    offsets: dict[tuple[str, str], int] = {}
    end = 0
    for network, kept in (states or {}).items():
        for state in kept:
            start = -(-end // state.align_bytes) * state.align_bytes
            offsets[network, state.name] = start
            end = start + state.size_bytes
    return Shared(max((plan.arena_bytes for plan in plans.values()), default=0), end, offsets)


def shared_region(shared: Shared, board: Board, sizes: Sizes, limits: Limits) -> str | None:
    """The fastest RAM of ``board`` that holds the arena whole, None for the primary one."""
    if limits.sram_bytes is not None:
        return None
    reserved = sizes.data_bytes + sizes.bss_bytes + sizes.stack_bytes + shared.state_bytes
    found = next((room for room in rooms(board, reserved) if shared.arena_bytes <= room.free_bytes), None)
    return None if found is None or found.primary else found.region


def several_budget(
    board: Board,
    networks: Mapping[str, tuple[Program, Plan]],
    shared: Shared,
    sizes: Sizes,
    limits: Limits | None = None,
) -> Budget:
    """The account of all ``networks`` on ``board``: weights by network, one arena, the peak that of the largest."""
    weights = tuple(
        Part(f"weights of {name.removeprefix('network_')}", program.weights_bytes, True)
        for name, (program, _) in networks.items()
    )
    arenas = () if shared.region is None else (Arena(shared.region, 0, shared.arena_bytes),)
    state = (Part("state", shared.state_bytes, True),)
    program, plan = max(networks.values(), key=lambda network: network[1].arena_bytes)
    return Budget(
        board=board.name,
        arena_bytes=shared.arena_bytes,
        arena_lower_bound_bytes=max(plan.lower_bound_bytes for _, plan in networks.values()),
        scratch_bytes=max((s.scratch_bytes for program, _ in networks.values() for s in program.steps), default=0),
        weights_bytes=sum(program.weights_bytes for program, _ in networks.values()),
        sizes=sizes,
        regions=region_uses(board, weights, shared.arena_bytes, arenas, sizes, limits or Limits(), state),
        peak=find_peak(program, plan),
    )


def sum_sizes(estimates: Sequence[Sizes], base: Sizes) -> Sizes:
    """The sizes of a firmware with all networks, from those with each alone and ``base``, that with none."""
    return Sizes(
        code_bytes=base.code_bytes + sum(e.code_bytes - base.code_bytes for e in estimates),
        stack_bytes=max((e.stack_bytes for e in estimates), default=base.stack_bytes),
        data_bytes=base.data_bytes,
        bss_bytes=base.bss_bytes,
        exact=False,
        constants_bytes=base.constants_bytes + sum(e.constants_bytes - base.constants_bytes for e in estimates),
    )
