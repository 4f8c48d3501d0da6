"""Moves that are merged, folded into weights, or worked out when compiling: the copies go, the bytes stay."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.move_cases import Draw
from tests.support import move_builder as mb
from tests.support.exactness import assert_exact
from tests.support.tflite_builder import Builder
from tinyml.graph.ir import Graph
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.tflite.read import read_graph

SHAPES = ((64,), (8, 8), (4, 4, 4), (2, 2, 4, 4))


def folded(data: bytes) -> Graph:
    """The graph after all passes, proven."""
    graph = run_passes(read_graph(data))
    assert_exact(data, graph)
    return graph


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def steps(graph: Graph) -> list[str]:
    return [step.kernel for step in lower(graph, Target(Isa.PORTABLE)).steps]


def shuffled(b: Builder, x: int, groups: int) -> int:
    _, h, w, c = b.values[x].shape
    apart = mb.transpose(b, b.reshape(x, (1, h, w, groups, c // groups)), (0, 1, 2, 4, 3))
    return b.reshape(apart, (1, h, w, c))


def conv(b: Builder, x: int, channels: int, seed: int = 0) -> int:
    d = np.random.default_rng(seed)
    weights = d.integers(-127, 128, (channels, 1, 1, b.values[x].shape[3]))
    scales = d.uniform(0.001, 0.01, channels).tolist()
    return b.conv_2d(x, weights, scales, d.integers(-500, 500, channels), scale=0.1)


def test_a_channel_shuffle_is_one_move() -> None:
    b = Builder()
    x = b.elementwise("HARD_SWISH", b.input((1, 3, 4, 8)))
    graph = folded(b.build([b.elementwise("RELU", shuffled(b, x, 2))]))
    assert kinds(graph) == ["HARD_SWISH", "TRANSPOSE", "RELU"]


def test_a_split_reads_straight_from_what_was_shuffled() -> None:
    b = Builder()
    x = b.elementwise("HARD_SWISH", b.input((1, 3, 4, 8)))
    first, second = mb.split(b, shuffled(b, x, 2), 3, 2)
    graph = folded(b.build([b.elementwise("RELU", first), b.elementwise("RELU6", second)]))
    assert sorted(kinds(graph)) == ["HARD_SWISH", "RELU", "RELU6", "SPLIT", "SPLIT"]


def test_a_shuffle_that_something_else_reads_stays() -> None:
    b = Builder()
    x = shuffled(b, b.elementwise("HARD_SWISH", b.input((1, 3, 4, 8))), 2)
    first, second = mb.split(b, x, 3, 2)
    graph = folded(b.build([b.binary("ADD", first, second), b.elementwise("RELU6", x)]))
    assert sorted(kinds(graph)) == ["ADD", "HARD_SWISH", "RELU6", "RESHAPE", "SPLIT", "SPLIT", "TRANSPOSE"]


def test_transpositions_that_cancel_go() -> None:
    b = Builder()
    x = b.elementwise("HARD_SWISH", b.input((1, 3, 4, 5)))
    x = mb.transpose(b, mb.transpose(b, x, (0, 3, 1, 2)), (0, 2, 3, 1))
    graph = folded(b.build([b.elementwise("RELU", x)]))
    assert kinds(graph) == ["HARD_SWISH", "RELU"]


def test_a_transposition_of_dimensions_of_one_costs_nothing() -> None:
    b = Builder()
    x = mb.transpose(b, b.elementwise("HARD_SWISH", b.input((1, 3, 1, 5))), (0, 2, 1, 3))
    graph = folded(b.build([b.elementwise("RELU", x)]))
    assert steps(graph) == ["tml_lookup", "tml_clamp"]


def test_pieces_are_pointers_where_words_stay_aligned() -> None:
    b = Builder()
    x = b.elementwise("HARD_SWISH", b.input((1, 6, 3, 4)))
    first, second, third = mb.split_v(b, x, 1, (1, 3, -1))
    graph = folded(b.build([b.elementwise("RELU", second), b.binary("ADD", first, third)]))
    program = lower(graph, Target(Isa.PORTABLE))
    assert "tml_move" not in [step.kernel for step in program.steps]
    assert sorted(program.alias_offsets.values()) == [12, 48]
    b = Builder()
    x = b.elementwise("HARD_SWISH", b.input((1, 3, 3)))
    _, second, _ = mb.split(b, x, 1, 3)
    assert "tml_move" in steps(folded(b.build([b.elementwise("RELU", second)])))


def test_moved_constants_are_constants() -> None:
    b = Builder()
    x, row = b.input((1, 4, 6)), np.arange(24, dtype=np.int8).reshape(6, 4)
    turned = mb.transpose(b, b.constant(row, scale=0.1), (1, 0))
    chosen = mb.gather(b, b.reshape(turned, (1, 4, 6)), mb.numbers(b, (3, 1, 1, 0)), 1)
    assert kinds(folded(b.build([b.binary("MUL", x, chosen)]))) == ["MUL"]


@pytest.mark.parametrize("order", [(5, 0, 3, 1, 4, 2), (4, 4, 0), (1, 2, 3)])
def test_a_convolution_makes_the_channels_that_are_chosen(order: tuple[int, ...]) -> None:
    b = Builder()
    x = mb.gather(b, conv(b, b.input((1, 3, 2, 5)), 6), mb.numbers(b, order), 3)
    graph = folded(b.build([b.elementwise("RELU", x, scale=0.2)]))
    assert kinds(graph) == ["CONV_2D", "RELU"]


def test_layers_with_weights_take_their_channels_in_any_order() -> None:
    b = Builder()
    x = b.elementwise("HARD_SWISH", b.input((1, 3, 2, 6)))
    x = shuffled(b, x, 3)
    graph = folded(b.build([conv(b, x, 4), conv(b, x, 3, seed=1)]))
    assert kinds(graph) == ["HARD_SWISH", "CONV_2D", "CONV_2D"]


def test_a_dense_layer_reads_a_transposed_image() -> None:
    b = Builder()
    x = mb.transpose(b, b.elementwise("HARD_SWISH", b.input((1, 3, 2, 4))), (0, 3, 1, 2))
    weights = np.random.default_rng(0).integers(-127, 128, (5, 24))
    graph = folded(b.build([b.fully_connected(b.reshape(x, (1, 24)), weights)]))
    assert kinds(graph) == ["HARD_SWISH", "FULLY_CONNECTED"]


def test_channels_that_are_chosen_for_grouped_convolutions_are_moved() -> None:
    b = Builder()
    x = mb.gather(b, b.elementwise("HARD_SWISH", b.input((1, 3, 2, 6))), mb.numbers(b, (5, 0, 3, 1, 4, 2)), 3)
    weights = np.random.default_rng(0).integers(-127, 128, (4, 1, 1, 3))
    graph = folded(b.build([b.conv_2d(x, weights)]))
    assert kinds(graph) == ["HARD_SWISH", "GATHER", "CONV_2D"]


@pytest.mark.parametrize("seed", range(12))
def test_random_chains_of_moves(seed: int) -> None:
    """Whatever is merged, the outputs keep their bytes."""
    d, b = Draw(seed), Builder()
    x = b.elementwise("HARD_SWISH", b.input((1, 4, 4, 4)))
    taps = []
    for _ in range(6):
        shape = b.values[x].shape
        match d.number(0, 5):
            case 0:
                x = mb.transpose(b, x, d.rng.permutation(len(shape)).tolist())
            case 1:
                x = b.reshape(x, SHAPES[d.number(0, 3)]) if np.prod(shape) == 64 else x
            case 2:
                x = mb.reverse(b, x, [d.number(0, len(shape) - 1)])
            case 3:
                x = mb.gather(b, x, mb.numbers(b, d.rng.integers(0, shape[-1], shape[-1])), len(shape) - 1)
            case 4 if shape[-1] % 2 == 0:
                x = d.rng.choice(mb.split(b, x, len(shape) - 1, 2)).item()
            case _:
                taps.append(b.elementwise("RELU", x, scale=0.2))
    folded(b.build([b.elementwise("RELU6", x), *taps]))


def test_a_slice_that_leaves_a_scalar() -> None:
    """A vector's element without a dimension is no order of channels."""
    b = Builder()
    x = b.input((3,), scale=0.1)
    element = mb.strided_slice(b, x, (1,), (2,), (1,), (), shrinkAxisMask=1)
    graph = run_passes(read_graph(b.build([element])))
    assert graph.tensors[graph.outputs[0]].shape == ()
