"""Packing: never two live bytes in one place, and optimal where optimality can be proven."""

from __future__ import annotations

import itertools
import random

import pytest

from tinyml.plan.buffers import Buffer, Group
from tinyml.plan.packing import Conflicts, lower_bound_bytes, pack


def single(size: int, first: int, last: int, align: int = 4) -> Group:
    return Group((Buffer(0, f"{size}@{first}-{last}", size, first, last, align),), (0,))


def overlapping(units: list[Group], offsets: tuple[int, ...]) -> list[tuple[int, int]]:
    clashes = []
    for (i, a), (j, b) in itertools.combinations(enumerate(units), 2):
        for x, sx in zip(a.members, a.shifts, strict=True):
            for y, sy in zip(b.members, b.shifts, strict=True):
                x0, y0 = offsets[i] + sx, offsets[j] + sy
                if x.overlaps(y) and x0 < y0 + y.size_bytes and y0 < x0 + x.size_bytes:
                    clashes.append((i, j))
    return clashes


def random_units(seed: int) -> list[Group]:
    source = random.Random(seed)
    units = []
    for _ in range(source.randint(1, 14)):
        first = source.randint(-1, 10)
        chain, shifts = [], []
        for _ in range(source.choice([1, 1, 1, 2, 3])):
            last = first + source.randint(0, 4)
            chain.append(Buffer(0, "b", source.randint(1, 200), first, last, source.choice([4, 8])))
            shifts.append(0)
            first = last
        units.append(Group(tuple(chain), tuple(shifts)))
    return units


@pytest.mark.parametrize("seed", range(60))
def test_no_two_live_buffers_meet(seed: int) -> None:
    units = random_units(seed)
    packing = pack(units)
    assert overlapping(units, packing.offsets) == []
    assert all(o % u.align_bytes == 0 for o, u in zip(packing.offsets, units, strict=True))
    assert packing.arena_bytes == max(o + u.size_bytes for o, u in zip(packing.offsets, units, strict=True))
    assert packing.arena_bytes >= lower_bound_bytes(units)


@pytest.mark.parametrize("seed", range(60))
def test_moving_one_group_gives_what_placing_all_anew_gives(seed: int) -> None:
    units = random_units(seed)
    conflicts, source = Conflicts(units), random.Random(seed)
    order = source.sample(range(len(units)), len(units))
    offsets, top = conflicts.first_fit(order)
    for _ in range(20):
        old, new = source.randrange(len(order)), source.randrange(len(order))
        trial = order[:old] + order[old + 1 :]
        trial.insert(new, order[old])
        wanted, wanted_top = conflicts.first_fit(trial)
        found = conflicts.moved_fit(trial, order[old], min(old, new), offsets, top)
        assert found == (wanted if wanted_top <= top else [])
        order, offsets, top = trial, wanted, wanted_top


@pytest.mark.parametrize("seed", range(25))
def test_small_cases_equal_brute_force(seed: int) -> None:
    source = random.Random(1000 + seed)
    units = []
    for _ in range(6):
        first = source.randint(0, 4)
        units.append(single(4 * source.randint(1, 30), first, first + source.randint(0, 3)))
    best = min(Conflicts(units).first_fit(order)[1] for order in itertools.permutations(range(6)))
    assert pack(units).arena_bytes == best


def test_a_case_where_first_fit_by_size_fails() -> None:
    units = [single(8, 0, 1), single(4, 1, 3), single(4, 3, 4), single(8, 4, 5), single(12, 2, 2)]
    assert pack(units).arena_bytes == lower_bound_bytes(units) == 16


def test_deterministic() -> None:
    units = random_units(5)
    assert pack(units) == pack(units)


def test_nothing_to_place() -> None:
    assert pack([]).arena_bytes == 0
