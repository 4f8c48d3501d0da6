"""Guards round every buffer, and the bytes of nobody's at every step."""

from __future__ import annotations

import pytest

from tests.unit.plan.test_regions import chain
from tinyml.lower.program import Program
from tinyml.plan.canaries import GUARD_BYTES, guarded, idle_spans
from tinyml.plan.planner import Plan, check_plan, make_plan
from tinyml.plan.regions import fixed_groups

PROGRAMS = pytest.mark.parametrize(
    "program",
    [chain([100, 200, 50, 10], scratch=40), chain([96] * 5, scratch=24, in_place=True), chain([7, 9, 3])],
    ids=["chain", "in place", "odd sizes"],
)


def live_bytes(plan: Plan, time: int) -> set[int]:
    live = [p for p in plan.placements if p.buffer.first <= time <= p.buffer.last]
    return {byte for p in live for byte in range(p.offset, p.end)}


@PROGRAMS
def test_every_group_lies_between_guards(program: Program) -> None:
    plan = guarded(program, make_plan(program))
    check_plan(program, plan)
    assert all(p.offset % p.buffer.align_bytes == 0 for p in plan.placements)
    for group in fixed_groups(plan):
        own = [p for p in plan.placements if p.buffer in group.members]
        start, end = min(p.offset for p in own), max(p.end for p in own)
        near = {*range(start - GUARD_BYTES, start), *range(end, end + GUARD_BYTES)}
        assert min(near) >= 0 and max(near) < plan.arena_bytes
        assert not any(near & live_bytes(plan, time) for time in range(group.first, group.last + 1))


@PROGRAMS
def test_what_shares_bytes_stays_together(program: Program) -> None:
    plan = make_plan(program)
    before, after = fixed_groups(plan), fixed_groups(guarded(program, plan))
    assert sorted(len(g.members) for g in before) == sorted(len(g.members) for g in after)


@PROGRAMS
@pytest.mark.parametrize("guards", [True, False])
def test_idle_bytes_are_those_that_nobody_holds(program: Program, guards: bool) -> None:
    plan = make_plan(program)
    plan = guarded(program, plan) if guards else plan
    for first in range(len(program.steps)):
        for last in range(first, len(program.steps)):
            held = set().union(*(live_bytes(plan, time) for time in range(first, last + 1)))
            idle = {byte for start, end in idle_spans(plan, first, last) for byte in range(start, end)}
            assert idle == set(range(plan.arena_bytes)) - held
