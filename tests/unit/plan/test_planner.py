"""Lifetimes and in-place sharing on hand-made programs."""

from __future__ import annotations

import numpy as np

from tests.support.row_chains import lowered, random_chain
from tinyml.graph.ir import DType, Graph, Quant, Tensor
from tinyml.lower.program import Isa, Program, Step, Target
from tinyml.plan.buffers import tensor_buffers
from tinyml.plan.planner import check_plan, first_plan, make_plan

Q = Quant((0.5,), (0,))


def program(
    sizes: list[int],
    steps: list[Step],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    alias_of: dict[int, int] | None = None,
) -> Program:
    tensors = tuple(Tensor(f"t{i}", (1, n), DType.INT8, Q) for i, n in enumerate(sizes))
    graph = Graph("g", tensors, (), inputs, outputs)
    return Program(graph, Target(Isa.PORTABLE), tuple(steps), alias_of or {})


def step(
    inputs: tuple[int, ...], outputs: tuple[int, ...], scratch: int = 0, in_place: tuple[tuple[int, int], ...] = ()
) -> Step:
    return Step("s", "ADD", "k", "h", inputs, outputs, (), (), scratch, in_place)


def test_activations() -> None:
    assert list(program([8], [], (0,), (0,)).graph.activations()) == [0]


def test_chain_holds_two_tensors_and_the_scratch() -> None:
    p = program([100, 200, 100], [step((0,), (1,), 52), step((1,), (2,))], (0,), (2,))
    plan = make_plan(p)
    check_plan(p, plan)
    assert plan.arena_bytes == plan.lower_bound_bytes
    assert plan.peak_step == 0
    assert 352 <= plan.arena_bytes <= 356
    assert plan.scratch_offsets[0] % 8 == 0


def test_in_place_shares_one_address() -> None:
    p = program([96, 96], [step((0,), (1,), in_place=((0, 0),))], (0,), (1,))
    plan = make_plan(p)
    check_plan(p, plan)
    assert plan.arena_bytes == 96
    assert plan.offsets[0] == plan.offsets[1]


def test_in_place_is_refused_while_the_input_is_still_read() -> None:
    steps = [step((0,), (1,), in_place=((0, 0),)), step((0, 1), (2,), in_place=((0, 0), (1, 0)))]
    p = program([96, 96, 96], steps, (0,), (2,))
    plan = make_plan(p)
    check_plan(p, plan)
    assert plan.offsets[0] != plan.offsets[1]
    assert plan.arena_bytes == 192


def test_an_alias_keeps_its_storage_alive() -> None:
    p = program([64, 64, 64], [step((0,), (1,)), step((2,), (0,))], (0,), (2,), alias_of={2: 1})
    assert tensor_buffers(p)[1].last == 2
    assert make_plan(p).offsets[2] == make_plan(p).offsets[1]


def test_inputs_live_together_before_the_first_step() -> None:
    p = program([64, 64, 64], [step((0,), (2,)), step((1,), (2,))], (0, 1), (2,))
    plan = make_plan(p)
    check_plan(p, plan)
    assert plan.offsets[0] != plan.offsets[1]


def test_read_only_constant_arrays() -> None:
    tensor = Tensor("w", (2,), DType.INT8, Q, np.zeros(2, np.int8))
    assert tensor.data is not None
    assert not tensor.data.flags.writeable


def test_an_in_place_pair_is_given_up_where_its_fixed_distance_costs_more() -> None:
    """MCUNet's first blocks: the projection in place of the depthwise output would split the space for what follows."""
    sizes = [76_800, 102_400, 102_400, 51_200, 153_600, 38_400, 25_600, 153_600, 153_600, 25_600, 25_600]
    steps = [step((i,), (i + 1,), in_place=((0, 0),) if i not in (0, 3, 6) else ()) for i in range(9)]
    steps.append(step((6, 9), (10,), in_place=((0, 0), (1, 0))))
    p = program(sizes, steps, (0,), (10,))
    plan = make_plan(p)
    check_plan(p, plan)
    assert plan.arena_bytes == plan.lower_bound_bytes == 153_600 + 51_200


def test_a_chain_of_residual_blocks_reaches_the_bound() -> None:
    """MCUNet-in3's stem, then residual blocks: the widest chain has to lie above the stem's, though it is larger."""
    sizes, steps = [92_928, 123_904, 123_904, 61_952], [step((0,), (1,))]
    steps += [step((i,), (i + 1,), in_place=((0, 0),)) for i in (1, 2)]
    for expanded, projected in [(185_856, 30_976), *[(154_880, 30_976)] * 3, *[(58_080, 11_616)] * 12]:
        x = len(sizes) - 1
        residual = sizes[x] == projected
        sizes += [expanded, expanded, projected, *([projected] if residual else [])]
        steps += [step((x,), (x + 1,)), *(step((x + i,), (x + i + 1,), in_place=((0, 0),)) for i in (1, 2))]
        if residual:
            steps.append(step((x, x + 3), (x + 4,), in_place=((0, 0), (1, 0))))
    p = program(sizes, steps, (0,), (len(sizes) - 1,))
    plan = make_plan(p)
    check_plan(p, plan)
    assert plan.arena_bytes == plan.lower_bound_bytes == 185_856 + 61_952


def test_the_first_plan_is_sound_and_no_smaller_than_the_searched_one() -> None:
    for seed in range(12):
        p = lowered(random_chain(seed))
        first, searched = first_plan(p), make_plan(p)
        check_plan(p, first)
        assert first.lower_bound_bytes <= searched.arena_bytes <= first.arena_bytes <= 2 * searched.arena_bytes
        assert first.offsets.keys() == searched.offsets.keys()
