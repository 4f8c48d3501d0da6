"""Segments of real programs: windows, hosted rows, shifts, and what a segment may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.row_chains import lowered, random_chain
from tests.support.row_replay import Case, recorded, replay
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Blocks, Program
from tinyml.lower.rows import by_rows, row_steps_of
from tinyml.plan.buffers import scratch_buffers, tensor_buffers
from tinyml.plan.cuts import Cuts
from tinyml.plan.planner import Placement, Plan, make_plan
from tinyml.plan.regions import with_placements
from tinyml.plan.rowsim import trace
from tinyml.plan.segments import Segment


def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.random.default_rng(0).integers(-127, 128, shape).astype(np.int8)


def segment_of(program: Program, first: int, last: int, count: int = 1) -> Segment:
    found = Cuts(program, row_steps_of(program)).segment(first, last, count)
    assert found is not None
    return found


def windows(segment: Segment) -> dict[str, int]:
    """Rows of every tensor inside, by the step that makes it."""
    step_of = {node.output: f"step {segment.first + i}" for i, node in enumerate(segment.nodes)}
    return {step_of.get(t, "input"): segment.window_rows(t) for t in sorted(segment.inside)}


def expand_and_project(kernel: int, stride: int = 1) -> bytes:
    """1x1, depthwise, 1x1: 12x6x4 to 24 channels and back to 4."""
    b = Builder()
    x = b.conv_2d(b.input((1, 12, 6, 4)), weights(24, 1, 1, 4))
    x = b.depthwise_conv_2d(x, weights(1, kernel, kernel, 24), stride=(stride, stride))
    return b.build([b.conv_2d(x, weights(4, 1, 1, 24))])


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_an_inverted_block_never_holds_the_expanded_tensor(kernel: int) -> None:
    segment = segment_of(lowered(expand_and_project(kernel)), 0, 2)
    assert windows(segment) == {"step 0": kernel, "step 1": 1}
    depthwise, expanded = segment.nodes[1].output, segment.nodes[0].output
    assert segment.in_windows == {depthwise: expanded}, "the depthwise row lies in the window's first row"
    assert segment.window_bytes(expanded) == kernel * 6 * 24
    assert segment.is_passing(depthwise) and not segment.is_passing(expanded)


def test_a_depthwise_row_over_the_window_needs_a_window_of_its_own_kernel() -> None:
    """A residual keeps more rows of the window than the depthwise layer reads: its first row is still wanted."""
    b = Builder()
    x = b.conv_2d(b.input((1, 12, 6, 4)), weights(8, 1, 1, 4))
    y = b.depthwise_conv_2d(x, weights(1, 3, 3, 8))
    program = lowered(b.build([b.binary("ADD", x, b.conv_2d(y, weights(8, 1, 1, 8)))]))
    assert segment_of(program, 0, 3).in_windows == {}


def test_a_residual_row_is_made_where_the_sum_will_be() -> None:
    """The branch's last row has the sum's size and only passes through; ADD works in place."""
    b = Builder()
    x = b.input((1, 12, 6, 4))
    y = b.conv_2d(b.depthwise_conv_2d(x, weights(1, 3, 3, 4)), weights(4, 1, 1, 4))
    segment = segment_of(lowered(b.build([b.binary("ADD", x, y)])), 0, 2)
    assert segment.in_results == {segment.nodes[1].output: segment.nodes[2].output}
    assert segment.hosted.keys() == segment.in_windows.keys() | segment.in_results.keys()


def test_the_short_branch_waits_where_that_takes_less() -> None:
    """A residual block of a ResNet that halves the picture: 1x1 beside two 3x3."""
    b = Builder()
    x = b.conv_2d(b.input((1, 16, 8, 4)), weights(4, 1, 1, 4))
    long = b.conv_2d(b.conv_2d(x, weights(8, 3, 3, 4), stride=(2, 2)), weights(8, 3, 3, 8))
    short = b.conv_2d(x, weights(8, 1, 1, 4), stride=(2, 2))
    segment = segment_of(lowered(b.build([b.binary("ADD", long, short)])), 0, 4)
    long_output, short_step = segment.nodes[2].output, segment.nodes[3]
    assert [node.after for node in segment.nodes] == [None, None, None, long_output, None]
    assert segment.window_rows(short_step.output) == 1
    eager = trace([replace(n, after=None) for n in segment.nodes], segment.heights, segment.sources)
    assert eager.capacity[short_step.output] == 3


def test_nobody_waits_where_that_takes_more() -> None:
    """At the lower border a single 5x5 layer would run ahead of the branch that waits for it."""
    b = Builder()
    x = b.conv_2d(b.input((1, 12, 6, 4)), weights(4, 1, 1, 4))
    short, long = b.conv_2d(x, weights(16, 1, 1, 4)), b.conv_2d(x, weights(16, 5, 5, 4))
    segment = segment_of(lowered(b.build([b.binary("ADD", short, long)])), 0, 3)
    assert {node.after for node in segment.nodes} == {None}


def test_a_reduction_keeps_its_sums_for_the_whole_segment() -> None:
    b = Builder()
    x = b.conv_2d(b.input((1, 12, 6, 4)), weights(8, 3, 3, 4))
    program = lowered(b.build([b.reduce("MEAN", x, [1, 2], keep_dims=True)]))
    found = by_rows(program, [(0, 1)], [], row_steps_of(program))
    scratch = scratch_buffers(found)[1]
    assert (scratch.first, scratch.last, scratch.size_bytes) == (0, 1, 4 * 8)
    assert segment_of(program, 0, 1).results == (program.graph.outputs[0],)


def test_a_fed_input_is_inside_of_the_first_segment_only() -> None:
    program = replace(lowered(expand_and_project(3)), fed_by_rows=True)
    assert segment_of(program, 0, 2).fed == program.graph.inputs[0]
    assert segment_of(program, 0, 2).sources == ()
    assert segment_of(program, 1, 2).fed is None
    assert windows(segment_of(program, 0, 0)) == {"input": 1}


def test_several_outputs_are_not_inside() -> None:
    b = Builder()
    x = b.conv_2d(b.input((1, 8, 6, 4)), weights(4, 3, 3, 4))
    y = b.conv_2d(x, weights(4, 3, 3, 4))
    program = lowered(b.build([y, x]))
    segment = segment_of(program, 0, 1)
    assert segment.inside == frozenset()
    assert set(segment.results) == set(program.graph.outputs)


@pytest.mark.parametrize(("channels", "width", "sound"), [(3, 5, False), (3, 4, True), (1, 10, False), (1, 8, True)])
def test_rows_have_to_be_aligned(channels: int, width: int, sound: bool) -> None:
    b = Builder()
    x = b.depthwise_conv_2d(b.input((1, 8, width, channels)), weights(1, 3, 3, channels))
    program = lowered(b.build([b.depthwise_conv_2d(x, weights(1, 3, 3, channels))]))
    assert (Cuts(program, row_steps_of(program)).segment(0, 1, 1) is not None) == sound


def test_a_side_input_made_in_the_segment_is_refused() -> None:
    """MUL by [1, 1, 1, C] of a squeeze-and-excite gate reads the gate whole: it has to exist before."""
    b = Builder()
    x = b.conv_2d(b.input((1, 8, 6, 4)), weights(8, 3, 3, 4))
    gate = b.logistic(b.conv_2d(b.reduce("MEAN", x, [1, 2], keep_dims=True), weights(8, 1, 1, 8)))
    program = lowered(b.build([b.conv_2d(b.binary("MUL", x, gate), weights(4, 1, 1, 8))]))
    cuts = Cuts(program, row_steps_of(program))
    multiply = next(i for i, step in enumerate(program.steps) if step.kind == "MUL")
    assert cuts.segment(0, multiply, 1) is None
    behind = cuts.segment(multiply, multiply + 1, 1)
    assert behind is not None
    assert len(behind.sources) == 1, "the gate is no source by rows"


def test_a_tensor_with_another_name_is_not_kept_by_rows() -> None:
    b = Builder()
    x = b.conv_2d(b.input((1, 8, 8, 4)), weights(4, 3, 3, 4))
    program = lowered(b.build([b.conv_2d(b.reshape(x, (1, 16, 4, 4)), weights(4, 3, 3, 4))]))
    cuts = Cuts(program, row_steps_of(program))
    assert program.alias_of
    assert cuts.segment(0, 1, 1) is None
    assert cuts.segment(0, 0, 1) is not None and cuts.segment(1, 1, 1) is not None


def _segments(seeds: range) -> Iterator[tuple[int, Program, Segment]]:
    """Segments of random chains with an input that dies and a result."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        program = lowered(random_chain(seed))
        cuts = Cuts(program, row_steps_of(program))
        for _ in range(6):
            first = int(rng.integers(len(program.steps)))
            last = min(first + int(rng.integers(4)), len(program.steps) - 1)
            segment = cuts.segment(first, last, int(rng.integers(1, 4)))
            if segment is not None and segment.sources and segment.results:
                yield seed, segment.program, segment


def _apart(program: Program, source: int, result: int, distance: int) -> Plan:
    """``result`` at ``max(0, -distance)``, ``source`` ``distance`` bytes above it, all others far from them and each
    other."""
    buffers = [*tensor_buffers(program).values(), *scratch_buffers(program).values()]
    offsets = {result: max(0, -distance), source: max(0, distance)}
    sizes = {b.tensor: b.size_bytes for b in buffers}
    top = max(offsets[t] + sizes[t] for t in offsets)
    placements = []
    for buffer in buffers:
        if buffer.tensor in offsets:
            placements.append(Placement(buffer, offsets[buffer.tensor]))
        else:
            top = -(-top // 8) * 8
            placements.append(Placement(buffer, top))
            top += buffer.size_bytes
    return with_placements(program, make_plan(program), tuple(placements), top)


def _shift_cases(seeds: range) -> Iterator[tuple[str, Case, bool]]:
    """(kind of shift, case, whether it has to be right): every shift, and every shift less a byte."""
    number = 0
    for seed, program, segment in _segments(seeds):
        tensors = tensor_buffers(program)
        for source in segment.sources:
            result = max(segment.results, key=lambda t: tensors[t].size_bytes)
            dies = tensors[program.storage(source)].last == segment.last
            shift = segment.shift(source, result) if dies and tensors[result].first == segment.first else None
            if shift is None:
                continue
            number += 1
            reader, *others = [n for n in segment.nodes if source in n.inputs]
            alone = not others and reader.output == result and reader.rows.blocks and reader.rows.count == 1
            kind = "hosted" if segment.in_results else "blocks" if alone else "rows"
            yield kind, Case(f"n{seed}_{number}_kept", program, _apart(program, source, result, shift)), True
            if shift > 0:
                yield kind, Case(f"n{seed}_{number}_lost", program, _apart(program, source, result, shift - 1)), False


def prove_shifts(seeds: range, folder: Path) -> set[tuple[str, bool]]:
    """The kinds of shifts that were proven, enough and a byte less."""
    found = list(_shift_cases(seeds))
    events = recorded([case for _, case, _ in found], folder)
    for kind, case, right in found:
        if right:
            replay(case.program, case.plan, events[case.name], blocks=kind == "blocks")
        else:
            with pytest.raises(AssertionError, match="step"):
                replay(case.program, case.plan, events[case.name], blocks=kind == "blocks")
    return {(kind, right) for kind, _, right in found}


def test_shifts_are_exact(tmp_path: Path) -> None:
    """At the shift every call finds what it reads; one byte less, and something is overwritten before it is read.

    Where a kernel's blocks are not counted on, all rows of a call are needed until it returns.
    """
    kinds = prove_shifts(range(100, 110), tmp_path)
    assert kinds >= {("rows", False), ("blocks", False), ("hosted", True)}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(2000, 2080, 20))
def test_many_more_shifts_are_exact(first: int, tmp_path: Path) -> None:
    assert ("rows", False) in prove_shifts(range(first, first + 20), tmp_path)


@pytest.mark.parametrize(("filters", "shift"), [(8, 80), (4, 36), (16, 488)])
def test_a_blockwise_convolution_follows_its_input_closely(filters: int, shift: int) -> None:
    """3x3 over 6x9x8 by blocks of 3 columns.

    8: 72 r + 48 bytes are written, the row above is needed from column 5 on. 4: row 0 is written, 36 bytes, and needed.
    16: two blocks of row 5 are written, 816 bytes, and row 4 is needed from column 5 on, byte 328.
    """
    b = Builder()
    program = lowered(b.build([b.conv_2d(b.input((1, 6, 9, 8)), weights(filters, 3, 3, 8))]))
    segment = segment_of(program, 0, 0)
    assert segment.nodes[0].rows.blocks == Blocks(3, 1, 1)
    assert segment.shift(segment.sources[0], segment.results[0]) == shift


def test_no_shift_where_the_result_is_a_reductions() -> None:
    b = Builder()
    program = lowered(b.build([b.reduce("MEAN", b.input((1, 6, 4, 8)), [1, 2], keep_dims=True)]))
    segment = segment_of(program, 0, 0)
    assert segment.shift(segment.sources[0], segment.results[0]) is None
