"""Which concatenations of a planned program are written in place: those that make the arena no larger.

A part that is written where it lies in the whole needs no second place and no copy, but the whole is there from its
first part on, while parts of their own may come and go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyml.lower.in_place_parts import Joined, Part, joined, write_in_place
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

    All at first; then fewer and fewer of those whose whole is there at the fullest step. ``wanted`` as of
    :func:`make_plan`.
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
        chosen = _without_the_first(chosen, found, changed)
    return InPlace(program, plan)


def _without_the_first(chosen: tuple[Joined, ...], found: Layout, changed: Program) -> tuple[Joined, ...]:
    """``chosen``, but of those whose whole is there at the fullest step the part that is made first is copied.

    So the whole begins later. Where none is there, the largest is given up.
    """
    steps = len(changed.steps)
    live = [0] * (steps + 2)
    for group in groups(found, found.links):
        for time in range(group.first, group.last + 1):
            live[time + 1] += group.live_bytes(time)
    fullest = max(range(-1, steps + 1), key=lambda time: live[time + 1])
    buffers = {one.whole: found.tensors[changed.storage(one.whole)] for one in chosen}
    there = {whole for whole, buffer in buffers.items() if buffer.first <= fullest <= buffer.last}
    if not there:
        there = {max(buffers, key=lambda whole: buffers[whole].size_bytes)}
    left = (replace(one, parts=_later(one)) if one.whole in there else one for one in chosen)
    return tuple(one for one in left if one.parts)


def _later(one: Joined) -> tuple[Part, ...]:
    first = min(part.maker for part in one.parts)
    return tuple(part for part in one.parts if part.maker != first)
