"""Several RAMs: which buffers of a plan lie in which memory region of the board.

An arena that fits the fastest region stays whole. Otherwise it is cut: the buffers that are used
most go to the fastest region, each group of buffers that share addresses as one, and the rest to the next. Cutting is
packing into bins with lifetimes, so it is a search: first fit over several orders and a number of seeded random ones,
and of those that fit the one with most of the traffic in fast memory.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyml.board import Board, MemoryRegion
from tinyml.graph.ir import ABSENT
from tinyml.lower.program import Program
from tinyml.plan.budget import Limits, Sizes
from tinyml.plan.buffers import Group
from tinyml.plan.packing import Conflicts, pack
from tinyml.plan.planner import ARENA_ALIGN_BYTES, Arena, Placement, Plan, offsets_of

RANDOM_ORDERS = 40
MACS_PER_BYTE = 4
"""About how many multiply-accumulates a loaded byte of activations serves in the kernels, for comparing traffic."""
UNKNOWN_WAIT_STATES = 8
ESTIMATE_MARGIN_BYTES = 256


@dataclass(frozen=True, slots=True)
class Room:
    """A memory region of the board that may hold arena, with the bytes that nothing else takes."""

    region: str
    free_bytes: int
    primary: bool


def place(program: Program, plan: Plan, board: Board, sizes: Sizes, limits: Limits) -> Plan:
    """``plan`` in the RAMs of ``board``, beside data and stack of ``sizes``; a limit of the user's keeps to one RAM."""
    if limits.sram_bytes is not None:
        return plan
    return spread(program, plan, rooms(board, sizes.data_bytes + sizes.bss_bytes + sizes.stack_bytes))


def rooms(board: Board, reserved_bytes: int) -> tuple[Room, ...]:
    """The RAM regions of ``board``, fastest first; ``reserved_bytes`` of the primary one are data and stack.

    Fewest wait states first, the primary one before others that are as fast, external ones last. Left out are those
    at address 0, where a buffer would be a null pointer (the ITCM, which is for code), and those whose clock the
    reset leaves off.
    """
    usable = [r for r in board.regions if r.kind == "ram" and r.start > 0 and "off_at_reset" not in r.attributes]
    ordered = sorted(usable, key=lambda r: (*_slowness(r), r != board.ram))
    return tuple(
        Room(r.name, max(0, r.available_bytes - (reserved_bytes if r == board.ram else 0)), r == board.ram)
        for r in ordered
    )


def _slowness(region: MemoryRegion) -> tuple[bool, int]:
    waits = UNKNOWN_WAIT_STATES if region.wait_states is None else region.wait_states
    return "external" in region.attributes, waits


def spread(program: Program, plan: Plan, available: Sequence[Room]) -> Plan:
    """``plan`` in the regions ``available``, fastest first: its ``arenas``, and its offsets where it had to be cut.

    Where the arena fits neither whole nor cut, the plan comes back as it was, in the primary region, which is too small
    for it. ``arenas`` stay empty where all lies in the primary region.
    """
    whole = next((room for room in available if plan.arena_bytes <= room.free_bytes), None)
    if whole != available[0]:
        units = fixed_groups(plan)
        traffic = [_traffic(program, unit) for unit in units]
        parts = _cut(units, traffic, [_capacity_bytes(room) for room in available])
        if parts is not None and sum(bool(part.units) for part in parts) > 1:
            return _moved(program, plan, units, parts, available)
    return plan if whole is None or whole.primary else replace(plan, arenas=(Arena(whole.region, 0, plan.arena_bytes),))


def fixed_groups(plan: Plan) -> list[Group]:
    """The buffers of ``plan`` in groups whose distances have to stay: those that share bytes at one time do."""
    rest, found = list(plan.placements), []
    while rest:
        members, seen = [rest.pop(0)], 0
        while seen < len(members):
            joined = [p for p in rest if _share(members[seen], p)]
            members += joined
            rest = [p for p in rest if p not in joined]
            seen += 1
        align = max(p.buffer.align_bytes for p in members)
        start = min(p.offset for p in members) // align * align
        found.append(Group(tuple(p.buffer for p in members), tuple(p.offset - start for p in members)))
    return found


def _share(one: Placement, other: Placement) -> bool:
    return one.buffer.overlaps(other.buffer) and one.offset < other.end and other.offset < one.end


def _traffic(program: Program, group: Group) -> int:
    """About how many bytes of the group an inference reads and writes.

    An output is written once. What a step multiplies it reads again and again, from its scratch where it gathers its
    input there, else from the input itself; other inputs are read once.
    """
    graph = program.graph
    tensors = {b.tensor for b in group.members if b.tensor is not None}
    scratch = {b.step for b in group.members if b.tensor is None}
    total = 0
    for index, step in enumerate(program.steps):
        loads = step.macs // MACS_PER_BYTE
        total += sum(graph.tensors[t].size_bytes for t in step.outputs if program.storage(t) in tensors)
        for t in step.inputs:
            if t != ABSENT and program.storage(t) in tensors:
                total += graph.tensors[t].size_bytes if step.scratch_bytes else max(graph.tensors[t].size_bytes, loads)
        if index in scratch:
            total += max(2 * step.scratch_bytes, loads)
    return total


def _capacity_bytes(room: Room) -> int:
    """What a part of a cut arena may take: whole alignments, less than what was only estimated to be free."""
    free = room.free_bytes - (ESTIMATE_MARGIN_BYTES if room.primary else 0)
    return max(0, free) // ARENA_ALIGN_BYTES * ARENA_ALIGN_BYTES


@dataclass(frozen=True, slots=True)
class _Part:
    """What goes to one region: indices of the groups and their offsets from the part's start."""

    units: tuple[int, ...]
    offsets: tuple[int, ...]
    size_bytes: int


def _cut(units: Sequence[Group], traffic: Sequence[int], capacities: Sequence[int]) -> list[_Part] | None:
    """A part for each region; None where no order of the groups fits them all."""
    conflicts = Conflicts(units)
    best: tuple[list[int], list[_Part]] | None = None
    for order in _orders(units, traffic):
        parts = _fill(conflicts, order, capacities)
        if parts is not None:
            score = [sum(traffic[i] for i in part.units) for part in parts]
            if best is None or score > best[0]:
                best = score, parts
    return None if best is None else [_packed(units, part) for part in best[1]]


def _orders(units: Sequence[Group], traffic: Sequence[int]) -> list[list[int]]:
    index = range(len(units))
    span = [unit.last - unit.first + 1 for unit in units]
    orders = [
        sorted(index, key=lambda i: (-traffic[i] / (units[i].size_bytes * span[i]), i)),
        sorted(index, key=lambda i: (-traffic[i] / units[i].size_bytes, i)),
        sorted(index, key=lambda i: (-traffic[i], i)),
        sorted(index, key=lambda i: (-units[i].size_bytes, i)),
        sorted(index, key=lambda i: (units[i].size_bytes, i)),
    ]
    source = random.Random(0)
    return orders + [sorted(index, key=lambda _: source.random()) for _ in range(RANDOM_ORDERS)]


def _fill(conflicts: Conflicts, order: Sequence[int], capacities: Sequence[int]) -> list[_Part] | None:
    """Each group at its lowest offset in the first region that has room for it; None where one finds none."""
    placed: list[dict[int, int]] = [{} for _ in capacities]
    for i in order:
        for region, capacity in zip(placed, capacities, strict=True):
            offset = conflicts.lowest_offset(i, region)
            if offset + conflicts.sizes[i] <= capacity:
                region[i] = offset
                break
        else:
            return None
    return [
        _Part(
            tuple(region),
            tuple(region.values()),
            max((offset + conflicts.sizes[i] for i, offset in region.items()), default=0),
        )
        for region in placed
    ]


def _packed(units: Sequence[Group], part: _Part) -> _Part:
    packing = pack([units[i] for i in part.units])
    if packing.arena_bytes >= part.size_bytes:
        return part
    return _Part(part.units, packing.offsets, packing.arena_bytes)


def _moved(
    program: Program, plan: Plan, units: Sequence[Group], parts: Sequence[_Part], available: Sequence[Room]
) -> Plan:
    """``plan`` with every group where its part is, the parts one after the other."""
    arenas: list[Arena] = []
    placements: list[Placement] = []
    start = 0
    used = [(room, part) for room, part in zip(available, parts, strict=True) if part.units]
    for number, (room, part) in enumerate(used):
        last = number == len(used) - 1
        size = part.size_bytes if last else -(-part.size_bytes // ARENA_ALIGN_BYTES) * ARENA_ALIGN_BYTES
        arenas.append(Arena(room.region, start, size))
        for i, offset in zip(part.units, part.offsets, strict=True):
            members = zip(units[i].members, units[i].shifts, strict=True)
            placements += [Placement(buffer, start + offset + shift) for buffer, shift in members]
        start += size
    return with_placements(program, plan, tuple(placements), start, tuple(arenas))


def with_placements(
    program: Program,
    plan: Plan,
    placements: tuple[Placement, ...],
    arena_bytes: int,
    arenas: tuple[Arena, ...] = (),
) -> Plan:
    """``plan`` with the same buffers in other places."""
    offsets, scratch_offsets = offsets_of(program, placements)
    return replace(
        plan,
        placements=placements,
        offsets=offsets,
        scratch_offsets=scratch_offsets,
        arena_bytes=arena_bytes,
        arenas=arenas,
    )
