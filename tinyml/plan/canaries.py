"""Plans for a test build that shows whether a kernel writes outside of its buffers.

:func:`guarded` moves the buffers apart, so that every one, or every few that share bytes, has bytes of nobody's before
and behind it. :func:`idle_spans` are the bytes that no buffer holds while some steps run: the generated C fills them
before and looks at them afterwards (``canaries`` of :func:`tinyml.codegen.generate`).
"""

from __future__ import annotations

from tinyml.lower.program import Program
from tinyml.plan.buffers import Buffer, Group
from tinyml.plan.packing import pack
from tinyml.plan.planner import Placement, Plan
from tinyml.plan.regions import fixed_groups, with_placements

GUARD_BYTES = 16
PACKING_ROUNDS = 20


def guarded(program: Program, plan: Plan) -> Plan:
    """``plan`` with at least :data:`GUARD_BYTES` before and behind every group of buffers that share bytes.

    What shares bytes keeps its distances. The arena grows; it is cut into no regions.
    """
    units = [_between_guards(unit) for unit in fixed_groups(plan)]
    packing = pack(units, rounds=PACKING_ROUNDS, exact=False)
    placements = tuple(
        Placement(buffer, offset + shift)
        for unit, offset in zip(units, packing.offsets, strict=True)
        for buffer, shift in list(zip(unit.members, unit.shifts, strict=True))[1:-1]
    )
    return with_placements(program, plan, placements, packing.arena_bytes)


def _between_guards(unit: Group) -> Group:
    before = Buffer(None, "guard", GUARD_BYTES, unit.first, unit.last, max(unit.align_bytes, 8))
    behind = Buffer(None, "guard", GUARD_BYTES, unit.first, unit.last)
    shifts = (0, *(shift + GUARD_BYTES for shift in unit.shifts), unit.size_bytes + GUARD_BYTES)
    return Group((before, *unit.members, behind), shifts)


def idle_spans(plan: Plan, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """The bytes, as half-open ranges of offsets, that no buffer holds at any of the steps ``first`` to ``last``."""
    live = [p for p in plan.placements if p.buffer.first <= last and p.buffer.last >= first]
    spans, reach = [], 0
    for start, end in sorted((p.offset, p.end) for p in live):
        if start > reach:
            spans.append((reach, start))
        reach = max(reach, end)
    if reach < plan.arena_bytes:
        spans.append((reach, plan.arena_bytes))
    return tuple(spans)
