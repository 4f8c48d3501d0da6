"""The search over candidates, on made-up costs: the true largest is found, with far fewer tries than candidates."""

from __future__ import annotations

import itertools
import random

import pytest

from tinyml.scaling.search import largest
from tinyml.scaling.space import Candidate


def grid(width: int, height: int, member: int = 0) -> list[Candidate]:
    return [Candidate("m", member, place, ()) for place in itertools.product(range(width), range(height))]


@pytest.mark.parametrize("seed", range(20))
def test_finds_the_largest_of_a_monotone_space(seed: int) -> None:
    source = random.Random(seed)
    space = [one for member in range(3) for one in grid(9, 11, member)]
    weights = [(source.uniform(0.5, 3), source.uniform(0.5, 3)) for _ in range(6)]
    costs = {one: round(100 * (one.place[0] + 1) * (one.place[1] + 1) ** 2 * (1 + one.member / 7)) for one in space}

    def need(one: Candidate, kind: int) -> float:
        a, b = weights[2 * one.member + kind]
        return float((one.place[0] + 1) ** a * (one.place[1] + 1) ** b)

    limits = source.uniform(5, 300), source.uniform(5, 300)
    tried: list[Candidate] = []

    def fits(one: Candidate) -> bool:
        tried.append(one)
        return all(need(one, kind) <= limits[kind] for kind in (0, 1))

    found = largest(space, costs.__getitem__, fits)
    fitting = [one for one in space if all(need(one, kind) <= limits[kind] for kind in (0, 1))]
    assert found is not None
    assert costs[found] == max(costs[one] for one in fitting)
    assert len(tried) == len(set(tried))
    assert len(tried) <= 40


def test_one_axis_is_bisected() -> None:
    space = grid(64, 1)
    tried: list[Candidate] = []

    def fits(one: Candidate) -> bool:
        tried.append(one)
        return one.place[0] <= 41

    found = largest(space, lambda one: one.place[0], fits)
    assert found is not None
    assert found.place == (41, 0)
    assert len(tried) <= 7


def test_what_cannot_be_built_says_nothing_of_the_others() -> None:
    space = grid(9, 1)
    odd = {one for one in space if one.place[0] % 2}
    found = largest(space, lambda one: one.place[0], lambda one: None if one in odd else one.place[0] <= 5)
    assert found is not None
    assert found.place == (4, 0)


def test_where_nothing_fits_the_smallest_was_tried() -> None:
    tried: list[Candidate] = []

    def fits(one: Candidate) -> bool:
        tried.append(one)
        return False

    assert largest(grid(5, 5), lambda one: sum(one.place), fits) is None
    assert Candidate("m", 0, (0, 0), ()) in tried
