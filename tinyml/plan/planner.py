"""The memory plan of a program: one arena, every tensor and every scratch buffer at a fixed offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyml.lower.program import Program
from tinyml.plan.buffers import (
    Buffer,
    Group,
    Layout,
    Link,
    groups,
    layout,
    needed_links,
    overlaps,
    tensor_buffers,
)
from tinyml.plan.packing import SEARCH_ROUNDS, lower_bound_bytes, pack
from tinyml.plan.segments import segments_of

ARENA_ALIGN_BYTES = 16
TRIAL_ROUNDS = 60
MOST_TRIALS = 12
MOST_TRIED_GROUPS = 2_400
"""Groups in all trials of a round together: beyond 200 groups fewer links are tried."""


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


def make_plan(program: Program, wanted: frozenset[tuple[int, int]] | None = None) -> Plan:
    """Plan the arena of ``program``: liveness, in-place ops, outputs over inputs, packing.

    Sharing addresses fixes distances and can cost more than it saves. So packings with only the sharing that the
    fullest step needs, with all and with none are compared, and single pairs at the arena's top are given up where that
    helps. Nothing is shared that a later step reads. ``wanted`` are (source, target) pairs to share, and no others, in
    one more packing, which comes first.
    """
    found = layout(program)
    bound = lower_bound_bytes(groups(found, found.links))
    best: Plan | None = None
    chosen = [] if wanted is None else [tuple(k for k in found.links if (k.source, k.target) in wanted)]
    for links in dict.fromkeys((*chosen, needed_links(found, len(program.steps)), found.links, ())):
        plan = _loosened(program, found, _attempt(program, found, links))
        if best is None or plan.arena_bytes < best.arena_bytes:
            best = plan
        if best.arena_bytes == bound:
            break
    assert best is not None
    return replace(best, lower_bound_bytes=bound, peak_step=_peak_step(program, best))


def first_plan(program: Program) -> Plan:
    """A plan that is found at once, where any that fits will do: nothing is searched, the arena is somewhat larger."""
    found = layout(program)
    plan = _attempt(program, found, needed_links(found, len(program.steps)), rounds=0, exact=False).plan
    return replace(plan, peak_step=_peak_step(program, plan))


def least_bytes_at_once(program: Program) -> int:
    """The most bytes of ``program`` that are live at once with all that may be shared: no plan of it needs less."""
    found = layout(program)
    return lower_bound_bytes(groups(found, found.links))


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """A plan with the groups it places and the links that joined them."""

    plan: Plan
    units: list[Group]
    offsets: tuple[int, ...]
    links: tuple[Link, ...]


def _loosened(program: Program, found: Layout, attempt: _Attempt) -> Plan:
    """Give up one link after the other while the arena shrinks; none whose loss alone would make it as large again."""
    most = min(MOST_TRIALS, MOST_TRIED_GROUPS // max(len(attempt.units), 1) + 1)
    while attempt.plan.arena_bytes > attempt.plan.lower_bound_bytes:
        near = _links_at_the_top(attempt)
        without = [tuple(k for k in attempt.links if k is not link) for link in near[:most]]
        trials = [
            _attempt(program, found, links, rounds=TRIAL_ROUNDS)
            for links in without
            if lower_bound_bytes(groups(found, links)) < attempt.plan.arena_bytes
        ]
        best = min(trials, key=lambda t: t.plan.arena_bytes, default=None)
        if best is None or best.plan.arena_bytes >= attempt.plan.arena_bytes:
            break
        attempt = best
    return attempt.plan


def _links_at_the_top(attempt: _Attempt) -> list[Link]:
    """Links within the groups that reach the arena's end, and within those that keep them from lying lower."""
    ends = zip(attempt.units, attempt.offsets, strict=True)
    top = [unit for unit, offset in ends if offset + unit.size_bytes == attempt.plan.arena_bytes]
    near = [u for u in attempt.units if any(a.overlaps(b) for t in top for a in t.members for b in u.members)]
    tensors = {b.tensor for unit in near for b in unit.members}
    return [link for link in attempt.links if link.source in tensors]


def _attempt(
    program: Program, found: Layout, links: tuple[Link, ...], *, rounds: int = SEARCH_ROUNDS, exact: bool = True
) -> _Attempt:
    units = groups(found, links)
    packing = pack(units, rounds=rounds, exact=exact)
    placements = tuple(
        Placement(buffer, offset + shift)
        for unit, offset in zip(units, packing.offsets, strict=True)
        for buffer, shift in zip(unit.members, unit.shifts, strict=True)
    )
    offsets, scratch = offsets_of(program, placements)
    plan = Plan(placements, offsets, scratch, packing.arena_bytes, packing.lower_bound_bytes, -1)
    return _Attempt(plan, units, packing.offsets, links)


def _peak_step(program: Program, plan: Plan) -> int:
    """The step with most bytes in use, the first of several."""
    times = range(-1, len(program.steps) + 1)
    return max(times, key=lambda t: (plan.live_bytes(t), 0 <= t < len(program.steps), -t))


def offsets_of(program: Program, placements: Sequence[Placement]) -> tuple[dict[int, int], dict[int, int]]:
    """Where ``placements`` put every activation tensor of ``program`` and every step's scratch."""
    owner = {p.buffer.tensor: p.offset for p in placements if p.buffer.tensor is not None}
    offsets = {
        t: owner[program.storage(t)] + program.alias_offsets.get(t, 0)
        for t in range(len(program.graph.tensors))
        if program.storage(t) in owner
    }
    for segment in segments_of(program):
        offsets |= {t: offsets[host] for t, host in segment.hosted.items()}
    return offsets, {p.buffer.step: p.offset for p in placements if p.buffer.step is not None}


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
