"""Several networks: the largest arena for all, state apart from it."""

from __future__ import annotations

import pytest

from tests.unit.plan.test_regions import chain
from tinyml.boards import load_board
from tinyml.errors import DoesNotFitError
from tinyml.lower.program import Program
from tinyml.plan.budget import Limits, Sizes, require_fits
from tinyml.plan.multi_model import State, several_budget, share, shared_region, sum_sizes
from tinyml.plan.planner import Plan, make_plan

SIZES = Sizes(code_bytes=5_000, stack_bytes=300, data_bytes=40, bss_bytes=60, exact=False, constants_bytes=200)


def networks(*sizes: list[int]) -> dict[str, tuple[Program, Plan]]:
    programs = {f"network_n{i}": chain(one) for i, one in enumerate(sizes)}
    return {name: (program, make_plan(program)) for name, program in programs.items()}


def plans(of: dict[str, tuple[Program, Plan]]) -> dict[str, Plan]:
    return {name: plan for name, (_, plan) in of.items()}


def test_the_arena_is_the_largest_ones() -> None:
    shared = share(plans(networks([1_000, 2_000], [500, 4_000], [100, 100])))
    assert (shared.arena_bytes, shared.state_bytes) == (4_500, 0)


def test_state_lies_apart_from_the_arena_and_from_other_state() -> None:
    both = networks([1_000, 2_000], [500, 4_000])
    states = {"network_n0": (State("ring", 10), State("last", 3)), "network_n1": (State("ring", 100, 16),)}
    shared = share(plans(both), states)
    assert shared.arena_bytes == share(plans(both)).arena_bytes, "state takes nothing of the arena"
    sizes = {(n, s.name): s for n, kept in states.items() for s in kept}
    assert set(shared.state_offsets) == set(sizes)
    taken: set[int] = set()
    for key, offset in shared.state_offsets.items():
        assert offset % sizes[key].align_bytes == 0
        bytes_of_it = set(range(offset, offset + sizes[key].size_bytes))
        assert not taken & bytes_of_it
        taken |= bytes_of_it
    assert max(taken) + 1 == shared.state_bytes


def test_the_account_has_each_networks_weights_and_one_arena() -> None:
    both = networks([1_000, 2_000], [500, 4_000])
    shared = share(plans(both), {"network_n0": (State("ring", 128),)})
    budget = several_budget(load_board("microbit"), both, shared, SIZES)
    flash, ram = budget.regions
    assert {p.label for p in ram.parts} == {"arena", "state", ".data", ".bss", "stack"}
    assert ram.used_bytes == 4_500 + 128 + 40 + 60 + 300
    assert flash.used_bytes == 5_000 + 200 + 40
    assert budget.peak.size_bytes == 4_500, "the largest network's"


def test_an_arena_that_is_too_large_is_refused() -> None:
    both = networks([1_000, 2_000], [8_000, 9_000])
    with pytest.raises(DoesNotFitError, match="microbit"):
        require_fits(several_budget(load_board("microbit"), both, share(plans(both)), SIZES))


def test_the_shared_arena_goes_to_the_fastest_region_that_holds_it_whole() -> None:
    board = load_board("nucleo_h743zi")
    small, large = share(plans(networks([1_000, 2_000]))), share(plans(networks([100_000, 100_000])))
    assert shared_region(small, board, SIZES, Limits()) == "DTCM"
    assert shared_region(large, board, SIZES, Limits()) is None, "the primary one"
    assert shared_region(small, board, SIZES, Limits(sram_bytes=10_000)) is None


def test_sizes_add_up_beside_what_every_firmware_has() -> None:
    base = Sizes(1_000, 100, 8, 16, False, 50)
    one, two = Sizes(1_500, 300, 8, 16, False, 60), Sizes(2_500, 200, 8, 16, False, 55)
    assert sum_sizes([one, two], base) == Sizes(3_000, 300, 8, 16, False, 65)
