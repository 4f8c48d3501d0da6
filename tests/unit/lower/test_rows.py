"""Steps by rows: their geometry, their arguments at run time, and which layers have none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.row_chains import lowered
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Int, Isa, Program, RowInt, Step
from tinyml.lower.rows import ROW_KERNELS, by_rows, geometry, row_steps_of

ISAS = list(Isa)


def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.random.default_rng(0).integers(-127, 128, shape).astype(np.int8)


def conv(kernel: int, stride: int = 1, padding: str = "SAME", height: int = 12, dilation: int = 1) -> bytes:
    b = Builder()
    x, taps = b.input((1, height, 8, 4)), weights(8, kernel, kernel, 4)
    spacing = (dilation, dilation)
    return b.build([b.conv_2d(x, taps, stride=(stride, stride), dilation=spacing, padding=padding)])


def row_step(program: Program, count: int = 1, index: int = 0) -> Step:
    found = row_steps_of(program)(index, count)
    assert found is not None and found.rows is not None
    return found


def run_time_names(step: Step) -> list[str]:
    return sorted({arg.name for arg in step.args if isinstance(arg, RowInt)})


@pytest.mark.parametrize(
    ("model", "numbers"),
    [
        (conv(3), (3, 1, 1, 12, 12)),
        (conv(3, 2), (3, 2, 0, 12, 6)),
        (conv(3, 2, height=13), (3, 2, 1, 13, 7)),
        (conv(3, padding="VALID"), (3, 1, 0, 12, 10)),
        (conv(1), (1, 1, 0, 12, 12)),
        (conv(3, dilation=2), (5, 1, 2, 12, 12)),
    ],
)
def test_geometry(model: bytes, numbers: tuple[int, ...]) -> None:
    program = lowered(model)
    found = geometry(program.graph, program.graph.ops[0])
    assert found is not None
    assert (found.kernel, found.stride, found.pad_top, found.in_height, found.out_height) == numbers
    rows = row_step(program).rows
    assert rows is not None
    assert (rows.kernel, rows.stride, rows.pad_top, rows.in_height, rows.out_height) == numbers


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_several_rows_a_call(count: int) -> None:
    """A call for n rows reads (n - 1) * stride + kernel; the last one makes what is left of 12."""
    step = row_step(lowered(conv(3)), count)
    rows = step.rows
    assert rows is not None
    assert (rows.count, rows.kernel, rows.stride) == (count, count + 2, count)
    assert rows.calls == -(-12 // count)
    assert rows.left_over == 12 % count
    assert (step.last is not None) == bool(12 % count)


def test_no_more_rows_a_call_than_there_are() -> None:
    assert row_steps_of(lowered(conv(3, height=3)))(0, 4) is None


@pytest.mark.parametrize("isa", ISAS)
def test_borders_are_known_at_run_time_only_where_there_are_any(isa: Isa) -> None:
    padded, inner = row_step(lowered(conv(3), isa)), row_step(lowered(conv(3, padding="VALID"), isa))
    assert run_time_names(padded) == ["height", "pad_top"]
    assert padded.kernel in ROW_KERNELS
    assert run_time_names(inner) == []
    assert {"out_h"} <= {arg.name for arg in padded.args if isinstance(arg, Int) and arg.value == 1}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", ["MEAN", "AVERAGE_POOL_2D"])
def test_a_reduction_reads_rows_and_keeps_its_sums(kind: str, isa: Isa) -> None:
    b = Builder()
    x = b.input((1, 10, 6, 8))
    y = b.reduce("MEAN", x, [1, 2]) if kind == "MEAN" else b.pool_2d(kind, x, size=(10, 6), stride=(1, 1))
    step = row_step(lowered(b.build([y]), isa))
    assert step.rows is not None
    assert step.rows.reduces and step.rows.calls == 10
    assert step.scratch_bytes == 4 * 8
    assert run_time_names(step) == ["done"]


def test_an_image_that_is_reduced_over_its_width_only_is_none() -> None:
    b = Builder()
    program = lowered(b.build([b.reduce("MEAN", b.input((1, 8, 6, 4)), [2], keep_dims=True)]))
    assert row_steps_of(program)(0, 1) is None


def test_a_side_input_is_read_whole() -> None:
    """MUL of a picture by one value a channel: the first goes by rows, the second does not."""
    b = Builder()
    program = lowered(b.build([b.binary("MUL", b.input((1, 8, 6, 4)), b.input((1, 1, 1, 4)))]))
    rows = row_step(program).rows
    assert rows is not None and rows.positions == (0,)


def test_inputs_of_different_heights_are_refused() -> None:
    b = Builder()
    program = lowered(b.build([b.binary("ADD", b.input((1, 8, 6, 4)), b.input((1, 8, 1, 4)))]))
    assert row_steps_of(program)(0, 1) is None


def test_a_concatenation_of_channels_goes_by_rows_and_one_of_rows_does_not() -> None:
    for axis, found in ((3, True), (1, False), (2, False)):
        b = Builder()
        parts = [b.input((1, 8, 6, 4)), b.input((1, 8, 6, 4))]
        program = lowered(b.build([b.concatenation(parts, axis)]))
        assert (row_steps_of(program)(0, 1) is not None) == found


def test_layers_over_vectors_have_no_rows() -> None:
    b = Builder()
    program = lowered(b.build([b.softmax(b.fully_connected(b.input((1, 64)), weights(8, 64)))]))
    assert [row_steps_of(program)(i, 1) for i in range(len(program.steps))] == [None] * len(program.steps)


def test_by_rows_replaces_the_steps_of_segments_only() -> None:
    b = Builder()
    x = b.conv_2d(b.input((1, 12, 8, 4)), weights(8, 3, 3, 4))
    x = b.conv_2d(x, weights(8, 3, 3, 8))
    program = lowered(b.build([b.conv_2d(x, weights(4, 3, 3, 8))]))
    found = by_rows(program, [(0, 1)], [(1, 2)], row_steps_of(program))
    assert [step.rows.count if step.rows else 0 for step in found.steps] == [1, 2, 0]
    assert found.segments == ((0, 1),)
    assert found.macs == program.macs
    assert [c.data.tobytes() for c in found.steps[2].consts] == [c.data.tobytes() for c in program.steps[2].consts]
