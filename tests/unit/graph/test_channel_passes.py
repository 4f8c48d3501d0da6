"""Dead channels: folded and removed, with every byte as before, on random networks and on a real one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.exactness import assert_exact
from tests.support.shared import require_shared
from tests.support.tflite_builder import Builder
from tinyml.graph.ir import Graph
from tinyml.graph.ops import SPECS
from tinyml.graph.passes import run_passes
from tinyml.graph.passes.channels import constant_channels
from tinyml.tflite.read import read_graph

Generator = np.random.Generator
Ints = npt.NDArray[np.int64]


def macs(graph: Graph) -> int:
    return sum(SPECS[op.kind].macs(graph, op) for op in graph.ops)


def constant_bytes(graph: Graph) -> int:
    return sum(tensor.size_bytes for tensor in graph.tensors if tensor.is_constant)


def pruned(generator: Generator, shape: tuple[int, ...], axis: int, share: float = 0.4) -> Ints:
    """Random weights, a share of whose slices along ``axis`` are zero."""
    data = generator.integers(-127, 128, shape)
    dead = generator.random(shape[axis]) < share
    np.moveaxis(data, axis, 0)[dead] = 0
    return data


def shapes(graph: Graph) -> list[tuple[int, ...]]:
    return [graph.tensors[op.outputs[0]].shape for op in graph.ops]


def test_a_dead_channel_goes_through_a_depthwise_convolution() -> None:
    generator = np.random.default_rng(1)
    model = Builder()
    first = generator.integers(1, 128, (4, 1, 1, 3))
    first[2] = 0
    x = model.conv_2d(model.input((1, 5, 5, 3)), first, bias=np.full(4, -50), activation="RELU", zero_point=-128)
    x = model.depthwise_conv_2d(x, generator.integers(1, 128, (1, 3, 3, 8)), bias=generator.integers(-900, 900, 8))
    data = model.build([model.conv_2d(x, generator.integers(1, 128, (2, 1, 1, 8)), bias=np.array([5, -5]))])
    graph = run_passes(read_graph(data))
    assert shapes(graph) == [(1, 5, 5, 3), (1, 5, 5, 6), (1, 5, 5, 2)]
    assert graph.source_channels[graph.ops[0].outputs[0]] == (0, 1, 3)
    assert graph.source_channels[graph.ops[1].outputs[0]] == (0, 1, 2, 3, 6, 7)
    assert graph.source_channels[graph.ops[2].outputs[0]] is None
    assert_exact(data, graph)


def test_a_constant_other_than_the_zero_point_stays_under_padding() -> None:
    generator = np.random.default_rng(2)
    for padding, channels in (("SAME", 4), ("VALID", 3)):
        model = Builder()
        first = generator.integers(1, 128, (4, 1, 1, 3))
        first[2] = 0
        x = model.conv_2d(model.input((1, 5, 5, 3)), first, bias=np.full(4, 9000), zero_point=3)
        x = model.depthwise_conv_2d(x, generator.integers(1, 128, (1, 3, 3, 4)), padding=padding)
        data = model.build([model.conv_2d(x, generator.integers(1, 128, (2, 1, 1, 4)))])
        graph = run_passes(read_graph(data))
        assert shapes(graph)[0][3] == channels
        assert_exact(data, graph)


def test_channels_that_nobody_reads_go_though_they_are_not_constant() -> None:
    generator = np.random.default_rng(3)
    model = Builder()
    x = model.conv_2d(model.input((1, 5, 5, 3)), generator.integers(1, 128, (4, 3, 3, 3)))
    second = generator.integers(1, 128, (2, 1, 1, 4))
    second[..., 1] = 0
    data = model.build([model.conv_2d(x, second)])
    graph = run_passes(read_graph(data))
    assert shapes(graph) == [(1, 5, 5, 3), (1, 5, 5, 2)]
    assert_exact(data, graph)


def test_a_layer_whose_channels_are_all_dead_keeps_one() -> None:
    model = Builder()
    x = model.conv_2d(model.input((1, 3, 3, 2)), np.zeros((4, 1, 1, 2)), bias=np.arange(4) * 500)
    data = model.build([model.conv_2d(x, np.ones((3, 1, 1, 4)), 0.5)])
    graph = run_passes(read_graph(data))
    assert shapes(graph) == [(1, 3, 3, 1), (1, 3, 3, 3)]
    assert_exact(data, graph)


def test_outputs_inputs_and_grouped_convolutions_keep_their_channels() -> None:
    generator = np.random.default_rng(4)
    model = Builder()
    x = model.input((1, 4, 4, 4))
    y = model.conv_2d(x, pruned(generator, (6, 1, 1, 4), 3, 0.5))
    grouped = model.conv_2d(model.conv_2d(x, pruned(generator, (4, 1, 1, 4), 0)), np.ones((4, 1, 1, 2)))
    data = model.build([y, model.conv_2d(grouped, pruned(generator, (5, 1, 1, 4), 3))])
    graph = run_passes(read_graph(data))
    assert shapes(graph) == shapes(read_graph(data))
    assert graph.tensors[graph.inputs[0]].shape == (1, 4, 4, 4)


def random_network(seed: int) -> bytes:
    """A network of a few blocks of every kind that channels go through, with pruned weights."""
    generator = np.random.default_rng(seed)
    model = Builder()

    def zero_point() -> int:
        return int(generator.choice([-128, -128, -5, 0, 17]))

    def conv(x: int, channels: int, kernel: int = 1) -> int:
        return model.conv_2d(
            x,
            pruned(generator, (channels, kernel, kernel, model.values[x].shape[3]), 0),
            generator.uniform(0.001, 0.01, channels).tolist() if generator.random() < 0.7 else 0.005,
            generator.integers(-3000, 3000, channels) if generator.random() < 0.8 else None,
            scale=float(generator.uniform(0.02, 0.2)),
            zero_point=zero_point(),
            padding=str(generator.choice(["SAME", "VALID"])),
            activation=str(generator.choice(["NONE", "RELU", "RELU6"])),
        )

    x = conv(model.input((1, 12, 11, 3), zero_point=zero_point()), int(generator.integers(1, 9)), 3)
    for _ in range(int(generator.integers(1, 6))):
        channels = model.values[x].shape[3]
        match int(generator.integers(0, 8)):
            case 0 | 1:
                multiplier = int(generator.integers(1, 3))
                x = model.depthwise_conv_2d(
                    x,
                    pruned(generator, (1, 2, 2, channels * multiplier), 3, 0.2),
                    0.005,
                    generator.integers(-3000, 3000, channels * multiplier),
                    zero_point=zero_point(),
                    padding=str(generator.choice(["SAME", "VALID"])),
                    activation=str(generator.choice(["NONE", "RELU"])),
                )
            case 2:
                x = model.binary("ADD", x, model.elementwise("HARD_SWISH", x))
            case 3:
                row = generator.integers(-128, 128, channels).astype(np.int8)
                x = model.binary("MUL", x, model.constant(row, scale=0.02), scale=0.05)
            case 4:
                value = model.values[x]
                constant = generator.integers(-128, 128, (*value.shape[:3], 2)).astype(np.int8)
                part = model.constant(constant, scale=value.scale, zero_point=value.zero_point)
                x = model.concatenation([x, part, x], 3)
            case 5:
                kind = str(generator.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"]))
                x = model.pool_2d(kind, x, stride=(1, 1), padding="SAME", activation="RELU6")
            case 6:
                x = model.pad(x, [(0, 0), (1, 0), (0, 1), (0, int(generator.integers(0, 2)))])
            case _:
                x = model.elementwise(str(generator.choice(["RELU", "QUANTIZE", "RELU6"])), x, zero_point=zero_point())
        if generator.random() < 0.6:
            x = conv(x, int(generator.integers(1, 9)))
    if generator.random() < 0.5:
        x = model.reduce(str(generator.choice(["MEAN", "SUM"])), x, [1, 2], scale=0.07)
    else:
        x = model.reshape(x, (1, int(np.prod(model.values[x].shape))))
    features = model.values[x].shape[1]
    x = model.fully_connected(x, pruned(generator, (7, features), 0), 0.002, generator.integers(-900, 900, 7))
    x = model.fully_connected(x, pruned(generator, (3, 7), 1), 0.01, generator.integers(-900, 900, 3))
    return model.build([x])


@pytest.mark.parametrize("block", range(6))
def test_random_pruned_networks_keep_every_byte(block: int) -> None:
    removed = 0
    for seed in range(block * 20, block * 20 + 20):
        data = random_network(seed)
        before = read_graph(data)
        after = run_passes(before)
        removed += macs(after) < macs(before)
        assert_exact(data, after, runs=2)
    assert removed > 10


def test_constants_of_a_dense_layer_are_what_it_computes() -> None:
    model = Builder()
    weights = np.zeros((3, 4))
    weights[1] = 5
    x = model.fully_connected(model.input((1, 4)), weights, 0.01, np.array([1000, 0, -777]), scale=0.013)
    data = model.build([model.fully_connected(x, np.ones((2, 3)), 0.5)])
    graph = read_graph(data)
    producers = graph.producers()
    dense = graph.ops[0].outputs[0]
    values = constant_channels(graph, lambda t: graph.ops[producers[t]] if t in producers else None, dense)
    assert set(values) == {0, 2}
    assert_exact(data, run_passes(graph))


@pytest.mark.shared
def test_half_the_work_of_the_visual_wake_words_model_is_dead() -> None:
    graph = read_graph(require_shared("models/vww_96_int8.tflite"))
    rewritten = run_passes(graph)
    assert macs(graph) == 7_489_664
    assert macs(rewritten) < 3_800_000
    assert constant_bytes(rewritten) < 34_000
