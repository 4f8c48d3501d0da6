"""Rows held by chains whose answers are known, and what the trace says of them."""

from __future__ import annotations

import pytest

from tinyml.lower.program import Rows
from tinyml.plan.rowsim import Node, Trace, moved_rows, overlap_shift, trace

SOURCE = 0


def same(kernel: int, stride: int, height: int, inputs: tuple[int, ...], output: int, count: int = 1) -> Node:
    """A step of SAME padding over ``height`` rows, ``count`` rows of output a call."""
    out = -(-height // stride)
    pad = max(0, (out - 1) * stride + kernel - height) // 2
    rows = Rows(count, (count - 1) * stride + kernel, count * stride, pad, height, out, tuple(range(len(inputs))))
    return Node(rows, inputs, output)


def valid(kernel: int, stride: int, height: int, source: int, output: int) -> Node:
    out = (height - kernel) // stride + 1
    return Node(Rows(1, kernel, stride, 0, height, out, (0,)), (source,), output)


def reduction(height: int, rows_a_call: int, source: int, output: int) -> Node:
    return Node(Rows(1, rows_a_call, rows_a_call, 0, height, 1, (0,), reduces=True), (source,), output)


def run(*nodes: Node, fed: int | None = None) -> Trace:
    heights = {node.output: node.rows.out_height for node in nodes}
    for node in nodes:
        heights |= dict.fromkeys(node.inputs, node.rows.in_height)
    made = {node.output for node in nodes}
    present = [t for t in heights if t not in made and t != fed]
    return trace(nodes, heights, present, fed)


@pytest.mark.parametrize(
    ("reader", "rows"),
    [
        (same(1, 1, 12, (1,), 2), 1),
        (same(3, 1, 12, (1,), 2), 3),
        (same(3, 2, 12, (1,), 2), 3),
        (same(3, 2, 13, (1,), 2), 3),
        (same(5, 1, 12, (1,), 2), 5),
        (same(7, 1, 12, (1,), 2), 7),
        (same(7, 2, 12, (1,), 2), 7),
        (valid(2, 2, 12, 1, 2), 2),
        (valid(3, 1, 12, 1, 2), 3),
        (valid(2, 3, 12, 1, 2), 2),
        (same(3, 1, 12, (1,), 2, count=2), 4),
        (same(3, 1, 12, (1,), 2, count=3), 5),
        (same(3, 2, 12, (1,), 2, count=2), 5),
        (same(3, 1, 2, (1,), 2), 2),
        (same(7, 1, 3, (1,), 2), 3),
        (reduction(12, 1, 1, 2), 1),
        (reduction(12, 4, 1, 2), 4),
    ],
)
def test_a_reader_holds_as_many_rows_as_its_call_needs(reader: Node, rows: int) -> None:
    assert run(same(3, 1, reader.rows.in_height, (SOURCE,), 1), reader).capacity[1] == rows


def test_what_is_held_does_not_depend_on_what_comes_before() -> None:
    found = run(*(same(3, 1, 20, (i,), i + 1) for i in range(6)))
    assert [found.capacity[t] for t in range(1, 6)] == [3] * 5


def test_a_maker_of_two_rows_needs_room_for_both() -> None:
    """Rows c - 1 to c + 1 are read: of two rows that are made one has to wait for its call."""
    assert run(same(3, 1, 12, (SOURCE,), 1, count=2), same(3, 1, 12, (1,), 2)).capacity[1] == 4
    assert run(same(1, 1, 12, (SOURCE,), 1, count=2), same(1, 1, 12, (1,), 2)).capacity[1] == 2


@pytest.mark.parametrize("height", [7, 8])
def test_rows_left_over_are_made_by_a_last_call(height: int) -> None:
    found = run(same(3, 1, height, (SOURCE,), 1, count=3), same(1, 1, height, (1,), 2))
    assert found.calls == -(-height // 3) + height
    assert found.capacity[1] == 3


def test_a_fed_input_is_a_window_too() -> None:
    assert run(same(3, 2, 96, (SOURCE,), 1), fed=SOURCE).capacity[SOURCE] == 3
    assert run(same(7, 2, 96, (SOURCE,), 1), fed=SOURCE).capacity[SOURCE] == 7
    assert SOURCE not in run(same(3, 2, 96, (SOURCE,), 1)).capacity


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_a_residual_keeps_no_more_than_its_branch_reads(kernel: int) -> None:
    nodes = (same(1, 1, 16, (SOURCE,), 1), same(kernel, 1, 16, (1,), 2), same(1, 1, 16, (1, 2), 3))
    found = run(*nodes)
    assert found.capacity[1] == kernel
    assert found.capacity[2] == 1
    assert 2 in found.passing


def test_a_deeper_branch_keeps_the_rows_of_all_its_layers() -> None:
    """Two 3x3 layers are two rows behind, so the join reads a row that the first no longer needs."""
    nodes = (
        same(1, 1, 16, (SOURCE,), 1), same(3, 1, 16, (1,), 2), same(3, 1, 16, (2,), 3), same(1, 1, 16, (1, 3), 4),
    )  # fmt: skip
    found = run(*nodes)
    assert (found.capacity[1], found.capacity[2], found.capacity[3]) == (3, 3, 1)


def test_a_short_branch_that_waits_keeps_less() -> None:
    fork, long, join = same(1, 1, 16, (SOURCE,), 1), same(5, 1, 16, (1,), 3), same(1, 1, 16, (2, 3), 4)
    short = same(1, 1, 16, (1,), 2)
    eager = run(fork, short, long, join)
    waiting = run(fork, Node(short.rows, short.inputs, 2, after=3), long, join)
    assert eager.capacity[2] == 2
    assert waiting.capacity[2] == 1
    assert waiting.capacity[1] == eager.capacity[1] == 5


def test_rows_pass_where_one_reader_takes_them_at_once() -> None:
    nodes = (same(1, 1, 8, (SOURCE,), 1), same(3, 1, 8, (1,), 2), same(1, 1, 8, (2,), 3))
    assert run(*nodes).passing == {2}


def test_rows_do_not_pass_where_the_reader_lags() -> None:
    """Two rows are made by two calls: the first one is there while its maker runs again."""
    nodes = (same(1, 1, 8, (SOURCE,), 1), valid(2, 2, 8, 1, 2))
    assert run(*nodes).passing == set()


def test_calls_are_those_of_all_steps() -> None:
    assert run(same(3, 1, 8, (SOURCE,), 1), same(3, 2, 8, (1,), 2), reduction(4, 2, 2, 3)).calls == 8 + 4 + 2


def test_rows_that_never_come_are_seen() -> None:
    circle = [same(1, 1, 8, (2,), 1), same(1, 1, 8, (1,), 2)]
    with pytest.raises(AssertionError, match=r"nodes \[0, 1\] of a segment never had their rows"):
        trace(circle, {1: 8, 2: 8}, [])


@pytest.mark.parametrize(
    ("kernel", "stride", "rows"), [(1, 1, 1), (3, 1, 2), (5, 1, 3), (7, 1, 4), (3, 2, 1), (1, 2, 1)]
)
def test_overlap_of_one_layer_with_rows_of_equal_size(kernel: int, stride: int, rows: int) -> None:
    """Row c of the output is written while row c - kernel // 2 is still read; strides run away from the output."""
    found = run(same(kernel, stride, 16, (SOURCE,), 1))
    assert overlap_shift(found, [1], 10, SOURCE, 10, 16) == 10 * rows


def test_overlap_grows_with_the_outputs_rows() -> None:
    """The last call writes the end of 15 rows of 30 bytes while rows 14 and 15 of 10 bytes are still read."""
    found = run(valid(2, 1, 16, SOURCE, 1))
    assert overlap_shift(found, [1], 30, SOURCE, 10, 16) == 15 * 30 - 14 * 10
    assert overlap_shift(found, [1], 5, SOURCE, 10, 16) == 5


def test_early_rows_count_for_the_tensor_in_which_they_lie() -> None:
    """Rows written where a result's next rows will be need the room before the result's maker runs."""
    nodes = (same(1, 1, 8, (SOURCE,), 1), same(1, 1, 8, (1,), 2))
    apart = overlap_shift(run(*nodes), [2], 20, SOURCE, 20, 8)
    early = overlap_shift(run(*nodes), [2, 1], 20, SOURCE, 20, 8)
    assert (apart, early) == (0, 20)


def test_moved_rows() -> None:
    """A window of 3 for a 3x3 layer of stride 1 keeps two rows each time; none move where all are used up."""
    heights = {1: 10}
    assert moved_rows([same(3, 1, 10, (1,), 2)], heights, 1, 3) == 2 * 7
    assert moved_rows([same(3, 1, 10, (1,), 2)], heights, 1, 5) == 2 * 2
    assert moved_rows([same(3, 1, 10, (1,), 2)], heights, 1, 10) == 0
    assert moved_rows([valid(2, 2, 10, 1, 2)], heights, 1, 2) == 0
    assert moved_rows([same(3, 1, 10, (2,), 3)], heights, 1, 3) == 0
