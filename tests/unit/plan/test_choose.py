"""What the planner chooses: never worse than whole tensors, monotone in what it may cost, the same every time."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from tests.support.row_chains import lowered, random_chain
from tests.support.tflite_builder import Builder
from tinyml.errors import UnsupportedError
from tinyml.lower.program import Isa, Program
from tinyml.plan.choose import Goal, Planned, choose_plan, roomier_plans
from tinyml.plan.planner import check_plan, make_plan

SEEDS = range(300, 312)


def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.random.default_rng(0).integers(-127, 128, shape).astype(np.int8)


def same(a: Planned, b: Planned) -> bool:
    one, other = a.plan, b.plan
    same_steps = a.program.segments == b.program.segments
    return same_steps and one.offsets == other.offsets and one.scratch_offsets == other.scratch_offsets


def mobile_chain(blocks: int, size: int = 32) -> bytes:
    """A stem and ``blocks`` inverted residuals, as MobileNetV2 has them."""
    b = Builder()
    x = b.conv_2d(b.input((1, size, size, 4)), weights(8, 3, 3, 4))
    for _ in range(blocks):
        y = b.depthwise_conv_2d(b.conv_2d(x, weights(32, 1, 1, 8)), weights(1, 3, 3, 32))
        x = b.binary("ADD", x, b.conv_2d(y, weights(8, 1, 1, 32)))
    return b.build([x])


@pytest.mark.parametrize("seed", SEEDS)
def test_more_work_never_takes_more_memory(seed: int) -> None:
    program = lowered(random_chain(seed))
    plans = [choose_plan(program, Goal(part)) for part in (0.0, 0.02, 0.05, 0.3, math.inf)]
    sizes = [found.plan.arena_bytes for found in plans]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == make_plan(program).arena_bytes
    for found, most in zip(plans, (0.0, 0.02, 0.05, 0.3, math.inf), strict=True):
        assert 0 <= found.more_work <= most
        check_plan(found.program, found.plan)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bounds_are_below_what_they_bound(seed: int) -> None:
    program = lowered(random_chain(seed))
    for goal in (Goal(), Goal(math.inf)):
        found = choose_plan(program, goal)
        assert found.plan.lower_bound_bytes <= found.plan.arena_bytes
        assert found.plan.lower_bound_bytes == max(
            found.plan.lower_bound_bytes, *map(found.plan.live_bytes, range(-1, len(program.steps) + 1))
        )
        assert found.least_bytes is None or found.least_bytes <= found.plan.arena_bytes


@pytest.mark.parametrize("seed", SEEDS)
def test_two_searches_find_the_same(seed: int) -> None:
    program, again = (lowered(random_chain(seed)) for _ in range(2))
    assert same(choose_plan(program, Goal(math.inf)), choose_plan(again, Goal(math.inf)))


def test_an_inverted_block_is_streamed() -> None:
    """Whole, the input and two expanded tensors are there; by rows one more tensor of the input's size at most."""
    program = lowered(mobile_chain(1))
    whole, by_rows = make_plan(program).arena_bytes, choose_plan(program, Goal(math.inf)).plan.arena_bytes
    assert whole >= 32 * 32 * (8 + 32)
    assert by_rows <= 32 * 32 * (4 + 8)
    assert choose_plan(program, Goal(0.0)).program.segments == ()


def test_no_segments_where_a_row_is_no_multiple_of_four_bytes() -> None:
    b = Builder()
    x = b.conv_2d(b.input((1, 9, 5, 3)), weights(7, 3, 3, 3))
    program = lowered(b.build([b.conv_2d(x, weights(3, 3, 3, 7))]))
    assert choose_plan(program, Goal(math.inf)).program.segments == ()


def test_a_network_of_vectors_is_planned_as_before() -> None:
    b = Builder()
    x = b.fully_connected(b.input((1, 64)), weights(32, 64))
    program = lowered(b.build([b.fully_connected(x, weights(8, 32))]))
    found = choose_plan(program, Goal(math.inf))
    assert found.program.segments == ()
    assert found.plan.arena_bytes == make_plan(program).arena_bytes
    assert found.more_work == 0


def refused(model: bytes) -> str:
    with pytest.raises(UnsupportedError) as caught:
        choose_plan(lowered(model), Goal(math.inf, fed_by_rows=True))
    assert caught.value.hint and caught.value.exit_code == UnsupportedError.exit_code
    return caught.value.message


def test_why_an_input_cannot_come_by_rows() -> None:
    b = Builder()
    assert "FULLY_CONNECTED" in refused(b.build([b.fully_connected(b.input((1, 64)), weights(8, 64))]))
    b = Builder()
    pair = b.binary("ADD", b.input((1, 8, 4, 4)), b.input((1, 8, 4, 4)))
    assert "the model has 2 inputs; only a single one can come row by row" in refused(b.build([pair]))
    b = Builder()
    odd = b.conv_2d(b.input((1, 9, 5, 1)), weights(3, 3, 3, 1))
    assert "no chain of layers takes it so" in refused(b.build([odd]))
    b = Builder()
    threes = b.pool_2d("AVERAGE_POOL_2D", b.input((1, 11, 4, 1)), size=(3, 2), stride=(1, 1), padding="VALID")
    assert "no chain of layers takes it so" in refused(b.build([b.conv_2d(threes, weights(2, 1, 1, 1))]))
    b = Builder()
    flat = b.reshape(b.input((1, 8, 4, 4)), (1, 4, 8, 4))
    assert "the input cannot come row by row: RESHAPE" in refused(b.build([b.conv_2d(flat, weights(4, 3, 3, 4))]))


def test_an_input_by_rows_is_not_in_memory() -> None:
    program = lowered(mobile_chain(2))
    whole, fed = (choose_plan(program, Goal(math.inf, fed_by_rows=rows)) for rows in (False, True))
    image = program.graph.inputs[0]
    assert fed.plan.arena_bytes <= whole.plan.arena_bytes
    assert fed.program.fed_by_rows and not whole.program.fed_by_rows
    held = next(p.buffer.size_bytes for p in fed.plan.placements if p.buffer.tensor == image)
    assert held <= 6 * 32 * 4, "at most what four rows of output read, a stride below each other"


def test_an_input_by_rows_that_is_read_again_is_not_kept_whole_for_it() -> None:
    """A residual from the input to the end of a block: rows of the input wait in a window for the addition."""
    b = Builder()
    x = b.input((1, 16, 16, 4))
    y = b.depthwise_conv_2d(b.conv_2d(x, weights(16, 1, 1, 4)), weights(1, 3, 3, 16))
    program = lowered(b.build([b.binary("ADD", x, b.conv_2d(y, weights(4, 1, 1, 16)))]))
    whole, fed = (choose_plan(program, Goal(math.inf, fed_by_rows=rows)) for rows in (False, True))
    assert fed.program.segments == ((0, 3),)
    assert fed.plan.arena_bytes <= whole.plan.arena_bytes + 2 * 16 * 4
    held = next(p.buffer.size_bytes for p in fed.plan.placements if p.buffer.tensor == program.graph.inputs[0])
    assert held <= 6 * 16 * 4


@pytest.mark.parametrize("isa", [Isa.PORTABLE, Isa.V6M, Isa.V7M, Isa.MVE])
def test_every_instruction_set_has_plans_by_rows(isa: Isa) -> None:
    program = lowered(mobile_chain(1), isa)
    assert choose_plan(program, Goal(math.inf)).plan.arena_bytes < make_plan(program).arena_bytes


def planning_seconds(program: Program) -> float:
    started = time.process_time()
    found = choose_plan(program)
    seconds = time.process_time() - started
    check_plan(found.program, found.plan)
    assert found.plan.arena_bytes < make_plan(program).arena_bytes
    return seconds


def test_fifty_steps_are_planned_in_seconds() -> None:
    assert planning_seconds(lowered(mobile_chain(12))) < 10


@pytest.mark.slow
def test_a_thousand_steps_are_planned_within_a_minute() -> None:
    program = lowered(mobile_chain(250))
    assert len(program.steps) > 1000
    assert planning_seconds(program) < 60


@pytest.mark.parametrize("goal", [Goal(), Goal(math.inf)])
def test_roomier_plans_take_ever_more_memory_and_end_with_none_by_rows(goal: Goal) -> None:
    program = lowered(mobile_chain(6))
    least = choose_plan(program, goal)
    found = [least, *roomier_plans(program, least, goal)]
    assert len(found) > 2
    arenas, works = [one.plan.arena_bytes for one in found], [one.more_work for one in found]
    assert arenas == sorted(arenas) and works == sorted(works, reverse=True)
    assert found[-1].program.segments == () and found[-1].more_work == 0
    for one in found:
        check_plan(one.program, one.plan)


def test_no_plan_is_roomier_than_one_without_rows_or_fed_by_rows() -> None:
    program = lowered(mobile_chain(1))
    assert list(roomier_plans(program, choose_plan(program, Goal(0.0)))) == []
    fed = Goal(math.inf, fed_by_rows=True)
    assert list(roomier_plans(program, choose_plan(program, fed), fed)) == []
