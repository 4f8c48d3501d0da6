"""Which concatenations of a planned program are written in place: those that make the arena no larger.

A part that is written where it lies in the whole needs no second place and no copy, but the whole is there from its
first part on, while parts of their own may come and go.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.lower.in_place_parts import Joined, joined, write_in_place
from tinyml.lower.program import Program
from tinyml.plan.buffers import Layout, groups, layout
from tinyml.plan.packing import lower_bound_bytes
from tinyml.plan.planner import Plan, make_plan

_PLACED = 3
"""Choices that are placed, which takes long; what is more than the arena before any placing costs little."""

Links = frozenset[tuple[int, int]] | None


@dataclass(frozen=True, slots=True, eq=False)
class InPlace:
    """A program with concatenations written in place, and its plan."""

    program: Program
    plan: Plan


def with_parts_in_place(program: Program, plan: Plan, wanted: Links = None) -> InPlace:
    """``program`` with as many concatenations written in place as its arena, now ``plan``, holds without growing.

    All at first; then without those whose whole is there at the fullest step. ``wanted`` as of :func:`make_plan`.
    """
    chosen, placed = joined(program), 0
    while chosen and placed < _PLACED:
        changed = write_in_place(program, chosen)
        found = layout(changed)
        if lower_bound_bytes(groups(found, found.links)) <= plan.arena_bytes:
            made = make_plan(changed, wanted)
            placed += 1
            if made.arena_bytes <= plan.arena_bytes:
                return InPlace(changed, made)
        chosen = _without_the_fullest(chosen, found, len(changed.steps))
    return InPlace(program, plan)


def _without_the_fullest(chosen: tuple[Joined, ...], found: Layout, steps: int) -> tuple[Joined, ...]:
    """Those of ``chosen`` whose whole is not there at the fullest step; without the largest where none is."""
    live = [0] * (steps + 2)
    for group in groups(found, found.links):
        for time in range(group.first, group.last + 1):
            live[time + 1] += group.live_bytes(time)
    fullest = max(range(-1, steps + 1), key=lambda time: live[time + 1])
    buffers = {one: found.tensors[one.whole] for one in chosen}
    left = tuple(one for one in chosen if not buffers[one].first <= fullest <= buffers[one].last)
    if len(left) < len(chosen):
        return left
    largest = max(chosen, key=lambda one: buffers[one].size_bytes)
    return tuple(one for one in chosen if one is not largest)
