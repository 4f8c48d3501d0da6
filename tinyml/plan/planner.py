"""The memory plan of a program: one arena, every tensor and every scratch buffer at a fixed offset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from tinyml.lower.program import Program
from tinyml.plan.buffers import Buffer, Group, groups, overlaps, tensor_buffers
from tinyml.plan.packing import SEARCH_ROUNDS, lower_bound_bytes, pack

ARENA_ALIGN_BYTES = 16
TRIAL_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Placement:
    """A buffer and where it lies, in bytes from the start of the arena."""

    buffer: Buffer
    offset: int

    @property
    def end(self) -> int:
        """The first byte after the buffer."""
        return self.offset + self.buffer.size_bytes


@dataclass(frozen=True, slots=True)
class Arena:
    """A part of the arena: the offsets from ``start`` on lie in the memory region ``region`` of the board."""

    region: str
    start: int
    size_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The result of planning.

    ``offsets`` maps every activation tensor, aliases too, to its offset; ``scratch_offsets`` every step with scratch.
    ``lower_bound_bytes`` is the most bytes live at once under the chosen sharing; ``peak_step`` the step at which that
    is reached (-1 or ``len(steps)`` where only the inputs or the outputs are live). ``arenas`` cut the offsets into the
    memory regions that hold them, without gaps; there are none where all lie in the board's primary RAM.
    """

    placements: tuple[Placement, ...]
    offsets: dict[int, int]
    scratch_offsets: dict[int, int]
    arena_bytes: int
    lower_bound_bytes: int
    peak_step: int
    arenas: tuple[Arena, ...] = ()

    def live_bytes(self, time: int) -> int:
        """Bytes of the arena that are live at step ``time``: distinct bytes, so that in-place pairs count once."""
        spans = sorted((p.offset, p.end) for p in self.placements if p.buffer.first <= time <= p.buffer.last)
        total, reach = 0, 0
        for start, end in spans:
            total += max(0, end - max(start, reach))
            reach = max(reach, end)
        return total


def make_plan(program: Program) -> Plan:
    """Plan the arena of ``program``: liveness, in-place ops, packing.

    In-place sharing fixes distances and can cost more than it saves. So packings with and without it are compared, and
    single pairs at the arena's top are given up where that helps. Nothing is shared that a later step reads.
    """
    shared = _attempt(program, in_place=True)
    plan = _loosened(program, shared)
    if plan.arena_bytes == plan.lower_bound_bytes == shared.plan.lower_bound_bytes:
        return plan
    return min(plan, _attempt(program, in_place=False).plan, key=lambda p: p.arena_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """A plan with the groups it places."""

    plan: Plan
    units: list[Group]
    offsets: tuple[int, ...]


def _loosened(program: Program, attempt: _Attempt) -> Plan:
    """Give up one in-place pair after the other while the arena shrinks."""
    apart: frozenset[tuple[int, int]] = frozenset()
    while attempt.plan.arena_bytes > attempt.plan.lower_bound_bytes:
        trials = [
            (_attempt(program, in_place=True, apart=apart | {pair}, rounds=TRIAL_ROUNDS), apart | {pair})
            for pair in _pairs_at_the_top(attempt)
        ]
        best = min(trials, key=lambda t: t[0].plan.arena_bytes, default=None)
        if best is None or best[0].plan.arena_bytes >= attempt.plan.arena_bytes:
            break
        attempt, apart = best
    return attempt.plan


def _pairs_at_the_top(attempt: _Attempt) -> list[tuple[int, int]]:
    """In-place pairs of the groups that reach the arena's end, and of those that keep them from lying lower."""
    ends = zip(attempt.units, attempt.offsets, strict=True)
    top = [unit for unit, offset in ends if offset + unit.size_bytes == attempt.plan.arena_bytes]
    near = [u for u in attempt.units if any(a.overlaps(b) for t in top for a in t.members for b in u.members)]
    return [
        (a.tensor, b.tensor)
        for unit in near
        for a, b in pairwise(unit.members)
        if a.tensor is not None and b.tensor is not None
    ]


def _attempt(
    program: Program,
    *,
    in_place: bool,
    apart: frozenset[tuple[int, int]] = frozenset(),
    rounds: int = SEARCH_ROUNDS,
) -> _Attempt:
    units = groups(program, in_place=in_place, apart=apart)
    packing = pack(units, rounds=rounds)
    placements = tuple(
        Placement(buffer, offset + shift)
        for unit, offset in zip(units, packing.offsets, strict=True)
        for buffer, shift in zip(unit.members, unit.shifts, strict=True)
    )
    owner = {p.buffer.tensor: p.offset for p in placements if p.buffer.tensor is not None}
    offsets = {t: owner[program.storage(t)] for t in range(len(program.graph.tensors)) if program.storage(t) in owner}
    scratch = {p.buffer.step: p.offset for p in placements if p.buffer.step is not None}
    plan = Plan(placements, offsets, scratch, packing.arena_bytes, lower_bound_bytes(units), -1)
    times = range(-1, len(program.steps) + 1)
    peak = max(times, key=lambda t: (plan.live_bytes(t), 0 <= t < len(program.steps), -t))
    return _Attempt(replace(plan, peak_step=peak), units, packing.offsets)


def check_plan(program: Program, plan: Plan) -> None:
    """Raise AssertionError where two buffers that are live at one step overlap without being meant to."""
    pairs = set()
    for step in program.steps:
        for i, o in step.in_place:
            pairs.add((program.storage(step.inputs[i]), program.storage(step.outputs[o])))
    shifts = {(source, result): shift for source, result, shift in overlaps(program, tensor_buffers(program))}
    for a, first in enumerate(plan.placements):
        for second in plan.placements[a + 1 :]:
            if not first.buffer.overlaps(second.buffer) or first.end <= second.offset or second.end <= first.offset:
                continue
            handover = min(first.buffer.last, second.buffer.last) == max(first.buffer.first, second.buffer.first)
            tensors = (_number(first.buffer), _number(second.buffer))
            if (tensors in pairs or tensors[::-1] in pairs) and handover and first.offset == second.offset:
                continue
            distance = first.offset - second.offset
            if distance >= shifts.get(tensors, distance + 1) or -distance >= shifts.get(tensors[::-1], 1 - distance):
                continue
            raise AssertionError(f"{first.buffer.name!r} and {second.buffer.name!r} overlap")


def _number(buffer: Buffer) -> int:
    return -1 if buffer.tensor is None else buffer.tensor
