"""The C of segments follows the simulator's rule, and what it does never overwrites what is still read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.row_chains import lowered, random_chain
from tests.support.row_replay import Case, calls_of, recorded, replay
from tests.support.tflite_builder import Builder
from tinyml.codegen import generate
from tinyml.errors import UnsupportedError
from tinyml.lower.program import Program
from tinyml.lower.rows import by_rows, row_steps_of
from tinyml.plan import rowsim
from tinyml.plan.choose import Goal, choose_plan
from tinyml.plan.cuts import Cuts, program_of
from tinyml.plan.planner import check_plan, make_plan
from tinyml.plan.segments import Segment, segments_of

GOALS = {"default": Goal(), "least": Goal(math.inf), "rows": Goal(math.inf, fed_by_rows=True)}


def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.random.default_rng(0).integers(-127, 128, shape).astype(np.int8)


def simulated(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The order in which the simulator lets the steps of ``segment`` run."""
    order: list[int] = []
    fire = rowsim._Run.fire

    def noted(run: rowsim._Run, i: int) -> None:
        order.append(segment.first + i)
        fire(run, i)

    with monkeypatch.context() as patch:
        patch.setattr(rowsim._Run, "fire", noted)
        rowsim.trace(segment.nodes, segment.heights, segment.sources, segment.fed, every_call=True)
    return order


def expected_order(program: Program, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    starts = {segment.first: segment for segment in segments_of(program)}
    order, index = [], 0
    while index < len(program.steps):
        if index in starts:
            order += simulated(starts[index], monkeypatch)
            index = starts[index].last
        else:
            order.append(index)
        index += 1
    return order


def prove(cases: list[Case], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded(cases, folder)
    for case in cases:
        check_plan(case.program, case.plan)
        assert calls_of(events[case.name]) == expected_order(case.program, monkeypatch), case.name
        replay(case.program, case.plan, events[case.name])


def planned(seeds: range) -> Iterator[Case]:
    for seed in seeds:
        program = lowered(random_chain(seed))
        for name, goal in GOALS.items():
            try:
                found = choose_plan(program, goal)
            except UnsupportedError:
                assert goal.fed_by_rows, "only an input by rows may be refused"
                continue
            yield Case(f"n{seed}_{name}", found.program, found.plan)


def random_segments(seeds: range) -> Iterator[Case]:
    """One random way through each program: segments of random lengths with random numbers of rows a call."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        program = lowered(random_chain(seed))
        if seed % 2 and len(program.graph.inputs) == 1:
            program = replace(program, fed_by_rows=True)
        cuts = Cuts(program, row_steps_of(program))
        edges, at = [], 0
        while at < len(program.steps):
            longest = min(len(program.steps), at + int(rng.integers(1, 9)))
            count = int(rng.integers(1, 5))
            options = (cuts.by_rows(at, last, count) for last in reversed(range(at, longest)))
            found = next((edges for edges in options if edges), None) or cuts.whole(at)
            if not found:
                break
            edges.append(found[-1])
            at = found[-1].last + 1
        if at == len(program.steps):
            chosen = program_of(cuts, edges)
            yield Case(f"n{seed}", chosen, make_plan(chosen))


def test_chosen_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = list(planned(range(7)))
    prove(cases, tmp_path, monkeypatch)
    assert {case.name.partition("_")[2] for case in cases} == set(GOALS)
    assert sum(bool(case.program.segments) for case in cases) > len(cases) // 2


def test_random_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that no search would choose: long ones, branches, several rows a call, rows left over at the end."""
    cases = list(random_segments(range(200, 225)))
    prove(cases, tmp_path, monkeypatch)
    steps = [step for case in cases for step in case.program.steps if step.rows is not None]
    assert any(step.rows.left_over for step in steps if step.rows)
    assert any(step.rows.reduces for step in steps if step.rows)
    assert any(node.after is not None for case in cases for s in segments_of(case.program) for node in s.nodes)
    assert any(case.program.fed_by_rows for case in cases)


@pytest.mark.slow
@pytest.mark.parametrize("first", [1000, *(pytest.param(n, marks=pytest.mark.sweep) for n in (1100, 1200, 1300))])
def test_many_more_random_segments(first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prove(list(random_segments(range(first, first + 100))), tmp_path, monkeypatch)


def test_a_reader_of_a_reduction_waits_for_its_last_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MEAN gives its only row with its last call; a convolution behind it in the same segment must not run before."""
    b = Builder()
    x = b.conv_2d(b.input((1, 9, 4, 4)), weights(8, 3, 3, 4))
    x = b.reduce("MEAN", x, [1, 2], keep_dims=True)
    program = lowered(b.build([b.conv_2d(x, weights(4, 1, 1, 8))]))
    chosen = by_rows(program, [(0, 2)], [], row_steps_of(program))
    prove([Case("net", chosen, make_plan(chosen))], tmp_path, monkeypatch)
    assert "(done_001 == 9) >= done_002 + 1" in generate(chosen, make_plan(chosen), "net")["net.c"]


def test_the_replay_sees_what_is_overwritten(tmp_path: Path) -> None:
    """Two windows at one address."""
    b = Builder()
    x = b.conv_2d(b.input((1, 12, 4, 4)), weights(8, 3, 3, 4))
    x = b.conv_2d(x, weights(8, 3, 3, 8))
    program = lowered(b.build([b.conv_2d(x, weights(4, 3, 3, 8))]))
    chosen = by_rows(program, [(0, 2)], [], row_steps_of(program))
    plan = make_plan(chosen)
    first, second = sorted(segments_of(chosen)[0].inside)
    spoilt = replace(plan, offsets=plan.offsets | {second: plan.offsets[first]})
    events = recorded([Case("good", chosen, plan), Case("bad", chosen, spoilt)], tmp_path)
    replay(chosen, plan, events["good"])
    with pytest.raises(AssertionError, match="step 1, call 0, reads what"):
        replay(chosen, spoilt, events["bad"])


def test_two_runs_give_the_same_c() -> None:
    for seed in range(4):
        model = random_chain(seed)
        texts = [
            generate(found.program, found.plan, "net")["net.c"]
            for found in (choose_plan(lowered(model), Goal(math.inf)) for _ in range(2))
        ]
        assert texts[0] == texts[1]


def test_a_fed_network_says_so_in_its_header() -> None:
    b = Builder()
    program = lowered(b.build([b.conv_2d(b.input((1, 12, 4, 4)), weights(8, 3, 3, 4))]))
    fed = choose_plan(program, Goal(math.inf, fed_by_rows=True))
    header = generate(fed.program, fed.plan, "net")["net.h"]
    for line in ("#define NET_FED_BY_ROWS 1", "#define NET_INPUT_ROWS 12", "#define NET_ROW_BYTES 16"):
        assert line in header
    whole = choose_plan(program, Goal(math.inf))
    assert "net_push_row" not in generate(whole.program, whole.plan, "net")["net.h"]
