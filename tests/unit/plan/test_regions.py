"""Plans over several RAMs: whole in the fastest that has room, otherwise cut, hot buffers in the fastest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyml.board import Board
from tinyml.boards import list_boards, load_board
from tinyml.graph.ir import DType, Graph, Quant, Tensor
from tinyml.lower.program import Isa, Program, Step, Target
from tinyml.plan.planner import Plan, check_plan, make_plan
from tinyml.plan.regions import Room, fixed_groups, rooms, spread

Q = Quant((0.5,), (0,))


def chain(sizes: list[int], macs: list[int] | None = None, scratch: int = 0, in_place: bool = False) -> Program:
    tensors = tuple(Tensor(f"t{i}", (1, n), DType.INT8, Q) for i, n in enumerate(sizes))
    pairs = ((0, 0),) if in_place else ()
    steps = [
        Step(f"s{i}", "CONV_2D", "k", "h", (i,), (i + 1,), (), (), scratch, pairs, macs=(macs or [0] * len(sizes))[i])
        for i in range(len(sizes) - 1)
    ]
    graph = Graph("g", tensors, (), (0,), (len(sizes) - 1,))
    return Program(graph, Target(Isa.PORTABLE), tuple(steps))


def fast_and_slow(fast_bytes: int, slow_bytes: int) -> tuple[Room, Room]:
    return Room("FAST", fast_bytes, False), Room("SLOW", slow_bytes, False)


def region_of(plan: Plan, offset: int, size_bytes: int) -> str:
    inside = [a for a in plan.arenas if a.start <= offset and offset + size_bytes <= a.start + a.size_bytes]
    assert len(inside) == 1, "a buffer lies in one region alone"
    return inside[0].region


def check(program: Program, plan: Plan, available: tuple[Room, ...]) -> dict[str, str]:
    """Every rule of a cut plan; gives the region of every buffer by its name."""
    check_plan(program, plan)
    ends = [0, *(a.start + a.size_bytes for a in plan.arenas)]
    assert [a.start for a in plan.arenas] == ends[:-1], "no gap between the parts"
    assert ends[-1] == plan.arena_bytes
    room_of = {room.region: room.free_bytes for room in available}
    assert all(a.size_bytes <= room_of[a.region] and a.start % 16 == 0 for a in plan.arenas)
    for placement in plan.placements:
        assert placement.offset % placement.buffer.align_bytes == 0
        if placement.buffer.tensor is not None:
            assert plan.offsets[placement.buffer.tensor] == placement.offset
        else:
            assert placement.buffer.step is not None
            assert plan.scratch_offsets[placement.buffer.step] == placement.offset
    return {p.buffer.name: region_of(plan, p.offset, p.buffer.size_bytes) for p in plan.placements}


def test_an_arena_that_fits_stays_whole_in_the_fastest() -> None:
    program = chain([1_000, 2_000, 500])
    plan = make_plan(program)
    spread_out = spread(program, plan, fast_and_slow(3_000, 100_000))
    assert [(a.region, a.start, a.size_bytes) for a in spread_out.arenas] == [("FAST", 0, 3_000)]
    assert spread_out.placements == plan.placements


def test_in_the_primary_region_alone_nothing_changes() -> None:
    program = chain([1_000, 2_000, 500])
    plan = make_plan(program)
    assert spread(program, plan, (Room("RAM", 5_000, True), Room("CCM", 5_000, False))) is plan


def test_what_fits_no_region_whole_is_cut() -> None:
    program = chain([3_000, 2_000, 3_000, 100])
    plan = make_plan(program)
    assert plan.arena_bytes == 5_000
    available = fast_and_slow(3_000, 3_008)
    cut = spread(program, plan, available)
    assert [a.region for a in cut.arenas] == ["FAST", "SLOW"]
    check(program, cut, available)


def test_a_byte_less_room_is_not_enough() -> None:
    program = chain([3_008, 2_000, 3_008, 96])
    plan = make_plan(program)
    assert spread(program, plan, fast_and_slow(3_008, 2_000)).arenas
    for available in (fast_and_slow(3_007, 2_000), fast_and_slow(3_008, 1_999)):
        assert spread(program, plan, available) is plan


def test_the_busiest_buffers_are_in_the_fastest_region() -> None:
    """Two rooms that hold everything: the tensor that most is multiplied from goes to the fast one."""
    program = chain([2_000, 2_000, 2_000, 2_000, 100], macs=[10_000, 10_000, 900_000, 10_000, 0])
    available = fast_and_slow(2_000, 8_000)
    regions = check(program, spread(program, make_plan(program), available), available)
    assert regions["s1 output"] == "FAST"
    assert regions["s0 output"] == "SLOW", "it lives beside the busier one"


def test_buffers_at_one_address_move_together() -> None:
    program = chain([2_000] * 6, in_place=True, scratch=1_000)
    plan = make_plan(program)
    available = fast_and_slow(1_024, 2_016)
    regions = check(program, spread(program, plan, available), available)
    assert len({regions[f"s{i} output"] for i in range(5)}) == 1
    assert {len(g.members) for g in fixed_groups(plan)} == {1, 6}


def test_three_regions() -> None:
    program = chain([960, 960, 960, 960])
    available = (Room("A", 1_000, False), Room("B", 300, False), Room("C", 1_300, True))
    cut = spread(program, make_plan(program), available)
    check(program, cut, available)
    assert [a.region for a in cut.arenas] == ["A", "C"], "nothing goes where it has no room"


@pytest.mark.parametrize("seed", range(30))
def test_random_chains(seed: int) -> None:
    source = np.random.default_rng(seed)
    sizes = source.integers(1, 3_000, int(source.integers(2, 25))).tolist()
    program = chain(sizes, source.integers(0, 100_000, len(sizes)).tolist(), scratch=int(source.integers(0, 200)))
    plan = make_plan(program)
    share = float(source.uniform(0.3, 0.9))
    available = fast_and_slow(int(plan.arena_bytes * share), plan.arena_bytes - 1)
    cut = spread(program, plan, available)
    if cut is not plan:
        check(program, cut, available)
    assert spread(program, plan, available).arenas == cut.arenas


def names(board: Board) -> list[str]:
    return [room.region for room in rooms(board, 0)]


def test_the_order_of_every_boards_regions() -> None:
    assert names(load_board("nucleo_h743zi")) == ["DTCM", "AXI_SRAM", "SRAM4"]
    assert names(load_board("netduinoplus2")) == ["RAM", "CCM"]
    assert names(load_board("disco_f746ng")) == ["RAM"], "the ITCM is at address 0, a null pointer"
    assert names(load_board("mps3-an547")) == ["RAM", "SRAM2"]
    assert names(load_board("mps2-an386")) == ["RAM", "PSRAM"]
    for board in list_boards():
        assert sum(room.primary for room in rooms(board, 0)) == 1


def test_data_and_stack_take_from_the_primary_region_only() -> None:
    board = load_board("netduinoplus2")
    ram, ccm = rooms(board, 1_000)
    assert (ram.free_bytes, ccm.free_bytes) == (128 * 1024 - 1_000, 64 * 1024)
    assert rooms(replace(board, regions=board.regions[:2]), 1 << 20)[0].free_bytes == 0
