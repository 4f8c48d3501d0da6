"""Graphs become steps and aliases; loops and reductions are merged as far as they go."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.support.tflite_builder import Builder
from tinyml.errors import UnsupportedError
from tinyml.graph.ir import Op
from tinyml.graph.ops import SPECS, Attrs
from tinyml.lower.kernels import KERNELS, select
from tinyml.lower.lowering import ALIASES, lower
from tinyml.lower.ops.binary import Loops, broadcast_loops
from tinyml.lower.ops.pad import merged_paddings
from tinyml.lower.ops.reduce import kept_and_reduced
from tinyml.lower.ops.softmax import exponentials
from tinyml.lower.program import Isa, Optimize, Target, const_key
from tinyml.tflite.read import read_graph

PORTABLE = Target(Isa.PORTABLE)


def test_every_op_has_a_portable_kernel_last() -> None:
    for kind in set(SPECS) - ALIASES:
        rows = [row for row in KERNELS if row.kind == kind]
        assert rows[-1].isas == frozenset(Isa) and rows[-1].optimize == frozenset(Optimize), kind
        assert all(row.applies.__doc__ and row.note for row in rows), kind


def test_reshapes_are_aliases_of_what_owns_the_bytes() -> None:
    builder = Builder()
    x = builder.input((1, 4, 1, 6), scale=0.1)
    y = builder.squeeze(builder.reshape(x, (1, 1, 24)), [1])
    z = builder.binary("ADD", y, y, scale=0.2)
    program = lower(read_graph(builder.build([builder.expand_dims(z, 0)])), PORTABLE)
    assert [step.kind for step in program.steps] == ["ADD"]
    owners = set(program.alias_of.values())
    assert owners.isdisjoint(program.alias_of) and len(program.alias_of) == 3
    assert program.storage(program.graph.outputs[0]) == program.steps[0].outputs[0]
    assert program.steps[0].in_place == ((0, 0),) and len(program.steps[0].inputs) == 1


def test_an_unknown_op_is_named() -> None:
    builder = Builder()
    x = builder.input((1, 4), scale=0.1)
    graph = read_graph(builder.build([builder.binary("ADD", x, x, scale=0.2)]))
    op = Op("CUSTOM_THING", "layer", graph.ops[0].inputs, graph.ops[0].outputs, Attrs())
    with pytest.raises(UnsupportedError, match="CUSTOM_THING"):
        select(graph, op, PORTABLE)


def test_broadcasting_merges_neighbours_that_broadcast_alike() -> None:
    assert broadcast_loops((1, 5, 4, 3), (1, 5, 4, 3), (1, 5, 4, 3)) == Loops((60,), (1,), (1,))
    assert broadcast_loops((1, 5, 4, 3), (3,), (1, 5, 4, 3)) == Loops((20, 3), (3, 1), (0, 1))
    assert broadcast_loops((1, 5, 4, 3), (1, 5, 4, 1), (1, 5, 4, 3)) == Loops((20, 3), (3, 1), (1, 0))
    assert broadcast_loops((7, 1), (1, 9), (7, 9)) == Loops((7, 9), (1, 0), (0, 1))
    assert broadcast_loops((), (1, 1), (1, 1)) == Loops((1,), (1,), (1,))


def test_broadcasting_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = rng.integers(1, 4, rng.integers(1, 6))
        a_shape, b_shape = (tuple(np.where(rng.random(len(shape)) < 0.4, 1, shape).tolist()) for _ in range(2))
        a, b = np.arange(np.prod(a_shape)).reshape(a_shape), np.arange(np.prod(b_shape)).reshape(b_shape)
        wide_a, wide_b = np.broadcast_arrays(a, b)
        loops = broadcast_loops(a_shape, b_shape, wide_a.shape)
        indices = np.indices(loops.sizes).reshape(len(loops.sizes), -1)
        assert (np.array(loops.strides_a) @ indices == wide_a.ravel()).all()
        assert (np.array(loops.strides_b) @ indices == wide_b.ravel()).all()


def test_reductions_merge_neighbours_of_a_kind() -> None:
    assert kept_and_reduced((1, 4, 5, 3), (1, 2)) == [(1, 20), (3, 1)]
    assert kept_and_reduced((1, 4, 5, 3), (3,)) == [(20, 3)]
    assert kept_and_reduced((2, 4, 5, 3), (1, 3)) == [(2, 4), (5, 3)]
    assert kept_and_reduced((1, 1, 1, 5), (1, 2)) == [(5, 1)]
    assert kept_and_reduced((2, 3, 2, 3, 2), (0, 2, 4)) == [(1, 2), (3, 2), (3, 2)]


def test_paddings_merge_into_outer_neighbours() -> None:
    assert merged_paddings((1, 4, 4, 3), ((0, 0), (1, 1), (1, 2), (0, 0))) == [(1, 0, 0), (4, 1, 1), (12, 3, 6)]


def test_exponentials_fall_and_end_where_tflite_ends() -> None:
    table = exponentials(0.1, 1.0)
    assert table[0] == 2**31 - 1 and len(table) == 249
    assert all(first > second for first, second in itertools.pairwise(table) if first > 1000)
    for difference in (1, 10, 50):
        assert table[difference] / 2**31 == pytest.approx(np.exp(-0.1 * difference), abs=1e-6)
    assert len(exponentials(3.0, 1.0)) == 8


def test_equal_tables_share_a_key() -> None:
    builder = Builder()
    x = builder.input((1, 4), scale=0.1)
    y = builder.logistic(x)
    z = builder.elementwise("HARD_SWISH", x, scale=0.1)
    program = lower(read_graph(builder.build([y, z])), PORTABLE)
    first, second = (step.consts[0] for step in program.steps)
    assert const_key(first) != const_key(second) and const_key(first) == const_key(first)
