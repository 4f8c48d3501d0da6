"""Packing: offsets for groups so that no two live bytes meet and the arena is small.

Offline two-dimensional strip packing with fixed time intervals ("dynamic storage allocation") is NP-hard, so small
programs are solved exactly by branch and bound against the liveness bound, and all of them first by first fit over
several orders and a bounded, seeded local search. Every result is deterministic.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyml.plan.buffers import Group

EXACT_MAX_GROUPS = 40
EXACT_MAX_NODES = 4_000
SEARCH_ROUNDS = 400
MOST_PLACED = 120_000
"""Groups that a local search places at most, over all its rounds: beyond 300 groups there are fewer rounds."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Offsets of groups, in the order the groups were given; no packing of them is below ``lower_bound_bytes``."""

    offsets: tuple[int, ...]
    arena_bytes: int
    lower_bound_bytes: int


def lower_bound_bytes(groups: Sequence[Group]) -> int:
    """The most bytes that are live at once: no packing of these groups can be smaller."""
    times = sorted({b.first for g in groups for b in g.members})
    live = [0] * len(times)
    for group in groups:
        for index in range(bisect_left(times, group.first), bisect_right(times, group.last)):
            live[index] += group.live_bytes(times[index])
    return max(live, default=0)


class Conflicts:
    """For every group those that live with it and the ranges of distances at which both would meet, worked out once."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.sizes = [g.size_bytes for g in groups]
        self.aligns = [g.align_bytes for g in groups]
        self.ranges: list[dict[int, list[tuple[int, int]]]] = [{} for _ in groups]
        spans = sorted((g.first, g.last, i) for i, g in enumerate(groups))
        for at, (_, last, i) in enumerate(spans):
            for first, _, j in spans[at + 1 :]:
                if first > last:
                    break
                if found := _forbidden(groups[i], groups[j]):
                    self.ranges[i][j] = found
                    self.ranges[j][i] = [(1 - end, 1 - start) for start, end in found]
        self.ranges = [dict(sorted(ranges.items())) for ranges in self.ranges]
        self._each = [[(j, s, e) for j, found in ranges.items() for s, e in found] for ranges in self.ranges]

    def lowest_offset(self, i: int, placed: Mapping[int, int]) -> int:
        """The lowest aligned offset at which group ``i`` meets none of ``placed``, offsets by group."""
        align, offset = self.aligns[i], 0
        for start, end in sorted([(placed[j] + s, placed[j] + e) for j, s, e in self._each[i] if j in placed]):
            if start <= offset < end:
                offset = -(-end // align) * align
        return offset

    def first_fit(self, order: Sequence[int]) -> tuple[list[int], int]:
        """Place the groups in ``order``, each at its lowest offset; gives the offsets and the highest end."""
        placed: dict[int, int] = {}
        top = 0
        for i in order:
            placed[i] = self.lowest_offset(i, placed)
            top = max(top, placed[i] + self.sizes[i])
        return [placed[i] for i in range(len(self.sizes))], top

    def moved_fit(self, order: Sequence[int], moved: int, kept: int, offsets: Sequence[int], top: int) -> list[int]:
        """What :meth:`first_fit` gives for ``order``; nothing where it ends above ``top``.

        ``offsets`` are those of another order, which differs in the place of group ``moved`` alone and not within the
        first ``kept`` groups. A group is placed anew only where it meets one that was, so this is much the quicker.
        """
        placed = {i: offsets[i] for i in order[:kept]}
        anew = {moved, *self.ranges[moved]}
        for i in order[kept:]:
            offset = offsets[i]
            if i in anew:
                offset = self.lowest_offset(i, placed)
                if offset + self.sizes[i] > top:
                    return []
                if offset != offsets[i]:
                    anew.update(self.ranges[i])
            placed[i] = offset
        return [placed[i] for i in range(len(self.sizes))]


def _forbidden(group: Group, other: Group) -> list[tuple[int, int]]:
    """Half-open ranges of (offset of group - offset of other) at which a byte of both would be live at once."""
    ranges = []
    for mine, my_shift in zip(group.members, group.shifts, strict=True):
        for theirs, their_shift in zip(other.members, other.shifts, strict=True):
            if mine.overlaps(theirs):
                distance = their_shift - my_shift
                ranges.append((distance - mine.size_bytes + 1, distance + theirs.size_bytes))
    return ranges


def _orders(groups: Sequence[Group]) -> list[list[int]]:
    index = range(len(groups))
    span = [g.last - g.first + 1 for g in groups]
    return [
        sorted(index, key=lambda i: (-groups[i].size_bytes, groups[i].first, i)),
        sorted(index, key=lambda i: (-span[i], -groups[i].size_bytes, i)),
        sorted(index, key=lambda i: (-groups[i].size_bytes * span[i], i)),
        sorted(index, key=lambda i: (groups[i].first, -groups[i].size_bytes, i)),
        sorted(index, key=lambda i: (groups[i].last, -groups[i].size_bytes, i)),
        sorted(index, key=lambda i: (-groups[i].first, -groups[i].size_bytes, i)),
    ]


def _exact(conflicts: Conflicts, bound: int, best: int) -> tuple[list[int], int] | None:
    """Depth first over "which group next, at its lowest offset"; None where nothing below ``best`` was found in time.

    An optimal packing exists in which every group rests on the floor or on another, so placing groups in some order
    each at its lowest offset reaches it.
    """
    nodes, sizes = 0, conflicts.sizes
    found: tuple[list[int], int] | None = None
    placed: dict[int, int] = {}

    def search(offers: dict[int, int], top: int) -> bool:
        """``offers`` is the lowest offset of every group that is not placed; placing one changes those it meets."""
        nonlocal nodes, found, best
        nodes += 1
        if nodes > EXACT_MAX_NODES:
            return True
        if not offers:
            best, found = top, ([placed[i] for i in range(len(sizes))], top)
            return best <= bound
        for offset, _, i in sorted([(offset, -sizes[i], i) for i, offset in offers.items()]):
            reach = max(top, offset + sizes[i])
            if reach >= best:
                continue
            placed[i] = offset
            met = conflicts.ranges[i]
            rest = {j: conflicts.lowest_offset(j, placed) if j in met else o for j, o in offers.items() if j != i}
            if search(rest, reach):
                return True
            del placed[i]
        return False

    search(dict.fromkeys(range(len(sizes)), 0), 0)
    return found


def pack(groups: Sequence[Group], *, rounds: int = SEARCH_ROUNDS, seed: int = 0, exact: bool = True) -> Packing:
    """Place ``groups`` in an arena as small as can be found; see the module for how.

    ``rounds`` bounds the local search, ``exact`` allows branch and bound behind it. Returns offsets in bytes; the
    arena's size is the highest end of a group.
    """
    if not groups:
        return Packing((), 0, 0)
    bound = lower_bound_bytes(groups)
    conflicts = Conflicts(groups)
    results = [(conflicts.first_fit(order), order) for order in _orders(groups)]
    (offsets, top), order = min(results, key=lambda r: r[0][1])
    if top > bound:
        offsets, top = _search(conflicts, order, bound, rounds, seed)
    if exact and top > bound and len(groups) <= EXACT_MAX_GROUPS:
        better = _exact(conflicts, bound, top)
        if better is not None:
            offsets, top = better
    return Packing(tuple(offsets), top, bound)


def _search(conflicts: Conflicts, order: list[int], bound: int, rounds: int, seed: int) -> tuple[list[int], int]:
    """Move a group that sets the arena's size, or one that is in its way, to another place of the order.

    What does not grow is kept (the idea of Vela's hill climb, ethosu/vela/hillclimb_allocation.py). Every packing met
    is at least as small as the one before.
    """
    source = random.Random(seed)
    offsets, top = conflicts.first_fit(order)
    for _ in range(min(rounds, MOST_PLACED // len(order))):
        if top <= bound:
            break
        chosen = source.choice([i for i in order if offsets[i] + conflicts.sizes[i] == top])
        in_its_way = list(conflicts.ranges[chosen])
        if in_its_way and source.random() < 0.5:
            chosen = source.choice(in_its_way)
        trial, place = [i for i in order if i != chosen], order.index(chosen)
        new_place = source.randrange(place + 1 if source.random() < 0.8 else len(order))
        trial.insert(new_place, chosen)
        if found := conflicts.moved_fit(trial, chosen, min(place, new_place), offsets, top):
            order, offsets = trial, found
            top = max(offset + size for offset, size in zip(offsets, conflicts.sizes, strict=True))
    return offsets, top
