"""Rows held by chains whose answers are known, and what the trace says of them."""

from __future__ import annotations

import random

import pytest

from tinyml.lower.program import Rows
from tinyml.plan import rowsim
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


def run(*nodes: Node, fed: int | None = None, every_call: bool = False) -> Trace:
    heights = {node.output: node.rows.out_height for node in nodes}
    for node in nodes:
        heights |= dict.fromkeys(node.inputs, node.rows.in_height)
    made = {node.output for node in nodes}
    present = [t for t in heights if t not in made and t != fed]
    return trace(nodes, heights, present, fed, every_call=every_call)


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
    assert overlap_shift(found, [1], 10, SOURCE, 10) == 10 * rows


def test_overlap_grows_with_the_outputs_rows() -> None:
    """The last call writes the end of 15 rows of 30 bytes while rows 14 and 15 of 10 bytes are still read."""
    found = run(valid(2, 1, 16, SOURCE, 1))
    assert overlap_shift(found, [1], 30, SOURCE, 10) == 15 * 30 - 14 * 10
    assert overlap_shift(found, [1], 5, SOURCE, 10) == 5


def test_early_rows_count_for_the_tensor_in_which_they_lie() -> None:
    """Rows written where a result's next rows will be need the room before the result's maker runs."""
    nodes = (same(1, 1, 8, (SOURCE,), 1), same(1, 1, 8, (1,), 2))
    apart = overlap_shift(run(*nodes), [2], 20, SOURCE, 20)
    early = overlap_shift(run(*nodes), [2, 1], 20, SOURCE, 20)
    assert (apart, early) == (0, 20)


def _random_chain(rng: random.Random) -> list[Node]:
    """Steps of random windows, strides and rows a call, each over one or two tensors of its height."""
    heights = {SOURCE: rng.randint(4, 120)}
    nodes: list[Node] = []
    for output in range(1, rng.randint(2, 9)):
        first = rng.choice([SOURCE, *range(max(1, output - 2), output)])
        others = [t for t in heights if t != first and heights[t] == heights[first]]
        inputs = (first, rng.choice(others)) if others and rng.random() < 0.4 else (first,)
        kernel, stride = (1, 1) if len(inputs) == 2 else (rng.choice([1, 3, 5]), rng.choice([1, 1, 2]))
        nodes.append(same(kernel, stride, heights[first], inputs, output, rng.choice([1, 1, 2, 3])))
        heights[output] = nodes[-1].rows.out_height
    return nodes


@pytest.mark.parametrize("seed", range(150))
def test_a_trace_is_what_looking_at_every_call_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passing tensors and overlaps are kept up to date call by call; here all calls are looked at one by one."""
    rng = random.Random(seed)
    nodes = _random_chain(rng)
    writes: list[tuple[int, int, int]] = []
    not_passing: set[int] = set()
    fire = rowsim._Run.fire

    def noted(state: rowsim._Run, i: int) -> None:
        for maker, node in enumerate(nodes):
            readers = [r for r, other in enumerate(nodes) if node.output in other.inputs]
            if readers and not maker < i <= readers[-1] and state.made[node.output] > first_needed(state, node.output):
                not_passing.add(node.output)
        still = first_needed(state, SOURCE)
        fire(state, i)
        if still < state.heights[SOURCE]:
            writes.append((nodes[i].output, state.made[nodes[i].output], still))

    def first_needed(state: rowsim._Run, tensor: int) -> int:
        left = [(n, c) for n, c in zip(nodes, state.calls, strict=True) if tensor in n.inputs and c < n.rows.calls]
        return min((max(0, c * n.rows.stride - n.rows.pad_top) for n, c in left), default=state.heights[tensor])

    fed = rng.choice([None, SOURCE])
    found = run(*nodes, fed=fed)
    with monkeypatch.context() as patch:
        patch.setattr(rowsim._Run, "fire", noted)
        whole = run(*nodes, fed=fed, every_call=True)
    assert (found.capacity, found.passing, found.calls) == (whole.capacity, whole.passing, whole.calls)
    read = {t for node in nodes for t in node.inputs}
    assert found.passing == {node.output for node in nodes if node.output in read} - not_passing
    for node in nodes if fed is None else ():
        for row_bytes, source_row_bytes in ((1, 1), (7, 2), (3, 40), (rng.randint(1, 99), rng.randint(1, 99))):
            shifts = [made * row_bytes - still * source_row_bytes for t, made, still in writes if t == node.output]
            given = overlap_shift(found, [node.output], row_bytes, SOURCE, source_row_bytes)
            assert given == max(0, *shifts, 0)


def test_what_repeats_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of 4,096 rows is traced in hardly more calls than one of 128."""
    calls = []
    fire = rowsim._Run.fire

    def counted(state: rowsim._Run, i: int) -> None:
        calls.append(i)
        fire(state, i)

    monkeypatch.setattr(rowsim._Run, "fire", counted)
    made = {}
    for height in (128, 4096):
        calls.clear()
        nodes = (same(3, 2, height, (SOURCE,), 1), same(3, 1, height // 2, (1,), 2), same(5, 2, height // 2, (2,), 3))
        found = run(*nodes)
        made[height] = len(calls)
        assert found.calls == height // 2 + height // 2 + height // 4
    assert made[4096] == made[128] < 64


def test_moved_rows() -> None:
    """A window of 3 for a 3x3 layer of stride 1 keeps two rows each time; none move where all are used up."""
    heights = {1: 10}
    assert moved_rows([same(3, 1, 10, (1,), 2)], heights, 1, 3) == 2 * 7
    assert moved_rows([same(3, 1, 10, (1,), 2)], heights, 1, 5) == 2 * 2
    assert moved_rows([same(3, 1, 10, (1,), 2)], heights, 1, 10) == 0
    assert moved_rows([valid(2, 2, 10, 1, 2)], heights, 1, 2) == 0
    assert moved_rows([same(3, 1, 10, (2,), 3)], heights, 1, 3) == 0
